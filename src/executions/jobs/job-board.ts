/**
 * Where jobs are kept while they run elsewhere: a Durable Object with its own SQLite, in as many shards as executions have.
 * (One object for each job would be one database file for each on a machine of one's own, and there is no contention to
 * save: a job is a few writes.) What it keeps true:
 *
 * - An execution (or an item of it) has at most one open job; whoever opens it again is given that one.
 * - The first report counts, the same again is taken without effect, any other is refused, and all are once it is closed.
 * - No secret and no bearer is kept: see jobs.ts, which adds them when the order is fetched.
 */
import { DurableObject } from "cloudflare:workers";
import { logError } from "../../core/log.ts";
import { sha256 } from "../../core/hash.ts";
import { Alarm } from "../../objects/alarm.ts";
import { News } from "../../objects/news.ts";
import { TextPieces } from "./_pieces.ts";

/** What has been closed, or whose ticket has ended, is known for so long, to answer callbacks that come late. */
const KEPT_MS = 24 * 60 * 60_000;
/** Until an alarm that failed, as on a full disk, is tried again. */
const AGAIN_MS = 10_000;
const WAIT_MOST_MS = 60_000;
/** Rows handled by one alarm; the next follows at once. */
const FORGOTTEN_AT_ONCE = 500;

export type NewJob = {
  /** The execution, and the item: see jobs.ts. Tickets are `<key>-<number>`. */
  key: string;
  environment: string;
  /** JSON of the order's head. */
  head: string;
  input: string;
  expires_at: number;
};

export type OpenJob = { id: string; handle: string | null; expires_at: number };
export type OrderReply = { kind: "order"; head: string; input: string } | { kind: "over" } | { kind: "unknown" };
export type ReportReply = "taken" | "same" | "final" | "unknown";

type Row = {
  id: string;
  environment: string;
  head: string;
  handle: string | null;
  expires_at: number;
  fetched: number;
  closed: number;
  report_sha256: string | null;
};

export class JobBoard extends DurableObject {
  readonly #sql: SqlStorage;
  readonly #pieces: TextPieces;
  readonly #alarm: Alarm;
  readonly #news = new News();

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#sql = state.storage.sql;
    this.#alarm = new Alarm(state.storage);
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS jobs (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, number INTEGER NOT NULL, environment TEXT NOT NULL, head TEXT NOT NULL,
        handle TEXT, expires_at INTEGER NOT NULL, fetched INTEGER NOT NULL DEFAULT 0, closed INTEGER NOT NULL DEFAULT 0,
        report_sha256 TEXT, forget_at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE UNIQUE INDEX IF NOT EXISTS jobs_number ON jobs (key, number);
      CREATE INDEX IF NOT EXISTS jobs_forget ON jobs (forget_at);`);
    this.#pieces = new TextPieces(this.#sql);
    void state.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      this.#armForNext(Date.now());
      await this.#alarm.flush();
    });
  }

  /** The job that is open for the key, else a new one. One that waits in another environment is closed for it. */
  open(job: NewJob): OpenJob {
    const last = this.#sql
      .exec<Row & { number: number }>("SELECT * FROM jobs WHERE key = ? ORDER BY number DESC LIMIT 1", job.key)
      .toArray()[0];
    const isOpen = last !== undefined && last.closed === 0 && last.expires_at > Date.now();
    if (isOpen && last.environment === job.environment) {
      return { id: last.id, handle: last.handle, expires_at: last.expires_at };
    }
    return this.#write(() => {
      if (last !== undefined && last.closed === 0) this.#end(last.id);
      const number = (last?.number ?? 0) + 1;
      const id = `${job.key}-${number}`;
      this.#sql.exec(
        "INSERT INTO jobs (id, key, number, environment, head, expires_at, forget_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        id,
        job.key,
        number,
        job.environment,
        job.head,
        job.expires_at,
        job.expires_at + KEPT_MS,
      );
      this.#pieces.put(id, "input", job.input);
      this.#alarm.by(job.expires_at + KEPT_MS);
      return { id, handle: null, expires_at: job.expires_at };
    });
  }

  note(id: string, handle: string): void {
    this.#write(() => void this.#sql.exec("UPDATE jobs SET handle = ? WHERE id = ? AND closed = 0", handle, id));
  }

  /** `over`: it is closed, or has reported, so nobody may run it any more. */
  order(id: string): OrderReply {
    const row = this.#find(id);
    if (row === undefined) return { kind: "unknown" };
    const input = this.#pieces.get(id, "input");
    if (row.closed !== 0 || row.report_sha256 !== null || input === undefined) return { kind: "over" };
    if (row.fetched === 0) this.#write(() => void this.#sql.exec("UPDATE jobs SET fetched = 1 WHERE id = ?", id));
    return { kind: "order", head: row.head, input };
  }

  async report(id: string, text: string): Promise<ReportReply> {
    const hash = await sha256(text);
    // From here on in one turn: of two that come together one is the first.
    const row = this.#find(id);
    if (row === undefined) return "unknown";
    if (row.report_sha256 !== null) return row.report_sha256 === hash ? "same" : "final";
    if (row.closed !== 0) return "final";
    this.#write(() => {
      this.#sql.exec("UPDATE jobs SET report_sha256 = ? WHERE id = ?", hash, id);
      this.#pieces.put(id, "report", text);
    });
    this.#news.tell(id);
    return "taken";
  }

  async wait(id: string, waitMs: number): Promise<string | undefined> {
    const report = this.#pieces.get(id, "report");
    if (report !== undefined || waitMs <= 0) return report;
    await this.#news.next(id, Math.min(waitMs, WAIT_MOST_MS));
    return this.#pieces.get(id, "report");
  }

  close(id: string): { fetched: boolean } {
    const row = this.#find(id);
    if (row?.closed === 0) this.#write(() => this.#end(id));
    // Of one that is forgotten nothing can be said, so the careful answer.
    return { fetched: row === undefined || row.fetched !== 0 };
  }

  override async alarm(): Promise<void> {
    let notBefore = Date.now();
    // A throw would be repeated a few times and then forgotten, and with it everything that is due.
    try {
      this.#alarm.fired(Date.now());
      this.#write(() => {
        const due = this.#sql
          .exec<{ id: string }>("SELECT id FROM jobs WHERE forget_at <= ? LIMIT ?", Date.now(), FORGOTTEN_AT_ONCE)
          .toArray();
        for (const { id } of due) {
          this.#pieces.remove(id);
          this.#sql.exec("DELETE FROM jobs WHERE id = ?", id);
        }
      });
    } catch (error) {
      logError("jobs: alarm", error);
      notBefore += AGAIN_MS;
    } finally {
      await this.#rearm(notBefore);
    }
  }

  /** Should even this fail, the next object that starts does it. */
  async #rearm(notBefore: number): Promise<void> {
    try {
      this.#armForNext(notBefore);
      await this.#alarm.flush();
    } catch (error) {
      logError("jobs: alarm", error);
    }
  }

  #armForNext(notBefore: number): void {
    const { at } = this.#sql.exec<{ at: number | null }>("SELECT min(forget_at) AS at FROM jobs").one();
    if (at !== null) this.#alarm.by(Math.max(at, notBefore));
  }

  #find(id: string): Row | undefined {
    return this.#sql.exec<Row>("SELECT * FROM jobs WHERE id = ?", id).toArray()[0];
  }

  /** What it was about is not needed any more; that it was there is. */
  #end(id: string): void {
    const forgetAt = Date.now() + KEPT_MS;
    this.#sql.exec("UPDATE jobs SET closed = 1, head = '', forget_at = ? WHERE id = ?", forgetAt, id);
    this.#pieces.remove(id);
    this.#alarm.by(forgetAt);
  }

  #write<Result>(work: () => Result): Result {
    const result = this.ctx.storage.transactionSync(work);
    this.#alarm.set();
    return result;
  }
}
