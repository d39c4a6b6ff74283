/**
 * Keeps the deliveries of some webhooks: a Durable Object with its own SQLite, whose number stands in each delivery's id.
 * What it keeps true:
 *
 * - A delivery that is sent here twice is kept once.
 * - No webhook fills the disk: each has a budget of bytes, and its oldest deliveries go for its newest. Those that were not
 *   verified have a small one of their own, so that a flood of forged requests pushes out nothing but itself.
 * - None is older than LIMITS.deliveryRetentionMs by much.
 */
import { DurableObject } from "cloudflare:workers";
import { logError } from "../../core/log.ts";
import { firstDeliveryIdAt } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import type { DeliveryQuery, NewDelivery } from "../../model/delivery.ts";
import { Alarm } from "../../objects/alarm.ts";
import type { Kept, Sent } from "./delivery-messages.ts";
import type { Bytes } from "./schemes/scheme.ts";

/** A row beside its texts: ids, indexes, pages that are not full. Bytes. */
const ROW_BYTES = 500;
const AT_ONCE = 500;
/** Until an alarm that failed, as on a full disk, is tried again. */
const AGAIN_MS = 10_000;
/** Rows expire in groups, so that a busy log wakes a few times an hour and not for each. */
const EXPIRE_EVERY_MS = 10 * 60_000;

export type DeliveryNamespace = DurableObjectNamespace<DeliveryLog>;

type Row = { id: string; head: string; others: number };

export class DeliveryLog extends DurableObject {
  readonly #sql: SqlStorage;
  readonly #alarm: Alarm;
  /** Whatever the log is called, its ids say which it is. */
  #shard: number | undefined;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#sql = state.storage.sql;
    this.#alarm = new Alarm(state.storage);
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS deliveries (
        id TEXT NOT NULL PRIMARY KEY, webhook TEXT NOT NULL, status TEXT NOT NULL, verified INTEGER NOT NULL,
        at INTEGER NOT NULL, bytes INTEGER NOT NULL, others INTEGER NOT NULL, head TEXT NOT NULL, body BLOB NOT NULL
      );
      CREATE INDEX IF NOT EXISTS deliveries_webhook ON deliveries (webhook, id);
      CREATE INDEX IF NOT EXISTS deliveries_budget ON deliveries (webhook, verified, id);
      CREATE INDEX IF NOT EXISTS deliveries_status ON deliveries (status, id);
      CREATE TABLE IF NOT EXISTS budgets (
        webhook TEXT NOT NULL, verified INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (webhook, verified)
      ) WITHOUT ROWID;`);
    void state.blockConcurrencyWhile(async () => {
      await this.#alarm.load();
      this.#armForOldest(Date.now());
      await this.#alarm.flush();
    });
  }

  /** `text`: JSON of a list of Sent; `bodies` in its order. `more`: JSON of counts to add to `others`, by id. */
  record(text: string, bodies: Bytes[], more: string): void {
    const sent = JSON.parse(text) as Sent[];
    this.ctx.storage.transactionSync(() => {
      for (const [place, each] of sent.entries()) this.#insert(each, bodies[place] ?? new Uint8Array(0));
      for (const [id, count] of JSON.parse(more) as [string, number][])
        this.#sql.exec("UPDATE deliveries SET others = others + ? WHERE id = ?", count, id);
      for (const { webhook, verified } of groupsOf(sent)) this.#keepToBudget(webhook, verified);
    });
    this.#armForOldest(Date.now());
    this.#alarm.set();
  }

  find(id: string): Kept | undefined {
    return this.#sql
      .exec<{ head: string; others: number; body: ArrayBuffer }>(
        "SELECT head, others, body FROM deliveries WHERE id = ?",
        id,
      )
      .toArray()[0];
  }

  /** Newest first, from an id on and before another. */
  list(query: DeliveryQuery, { from, before }: { from: string; before: string }): Omit<Kept, "body">[] {
    const { webhook, status, limit } = query;
    const conditions = ["id >= ?", "id < ?"];
    const values: (string | number)[] = [from, before];
    if (webhook !== undefined) {
      conditions.push("webhook = ?");
      values.push(webhook);
    }
    if (status !== undefined) {
      conditions.push("status = ?");
      values.push(status);
    }
    return this.#sql
      .exec<Row>(
        `SELECT id, head, others FROM deliveries WHERE ${conditions.join(" AND ")} ORDER BY id DESC LIMIT ?`,
        ...values,
        limit,
      )
      .toArray()
      .map(({ head, others }) => ({ head, others }));
  }

  override async alarm(): Promise<void> {
    let notBefore = Date.now();
    // A throw would be repeated a few times and then forgotten, and with it everything that is due.
    try {
      this.#alarm.fired(Date.now());
      this.ctx.storage.transactionSync(() => this.#expire(Date.now() - LIMITS.deliveryRetentionMs));
    } catch (error) {
      logError("deliveries: alarm", error);
      notBefore += AGAIN_MS;
    } finally {
      await this.#rearm(notBefore);
    }
  }

  #insert({ delivery, others }: Sent, body: Bytes): void {
    const { id, webhook, status, verified, at_ms: at } = delivery;
    const head = JSON.stringify(delivery);
    const bytes = head.length + body.byteLength + ROW_BYTES;
    const { rowsWritten } = this.#sql.exec(
      "INSERT INTO deliveries (id, webhook, status, verified, at, bytes, others, head, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      id,
      webhook,
      status,
      Number(verified),
      at,
      bytes,
      others,
      head,
      body,
    );
    if (rowsWritten > 0) this.#spend(webhook, Number(verified), bytes);
  }

  #spend(webhook: string, verified: number, bytes: number): number {
    return this.#sql
      .exec<{ bytes: number }>(
        "INSERT INTO budgets (webhook, verified, bytes) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes RETURNING bytes",
        webhook,
        verified,
        bytes,
      )
      .one().bytes;
  }

  #keepToBudget(webhook: string, verified: boolean): void {
    const most = verified ? LIMITS.deliveriesBytes : LIMITS.unverifiedBytes;
    let spent = this.#spend(webhook, Number(verified), 0);
    while (spent > most) {
      const oldest = this.#sql
        .exec<{ id: string; bytes: number }>(
          "SELECT id, bytes FROM deliveries WHERE webhook = ? AND verified = ? ORDER BY id LIMIT ?",
          webhook,
          Number(verified),
          AT_ONCE,
        )
        .toArray();
      // Nothing to give back: the sum is wrong, and ends here rather than never.
      if (oldest.length === 0) return;
      for (const { id, bytes } of oldest) {
        if (spent <= most) return;
        this.#sql.exec("DELETE FROM deliveries WHERE id = ?", id);
        spent = this.#spend(webhook, Number(verified), -bytes);
      }
    }
  }

  #expire(before: number): void {
    const due = this.#sql
      .exec<{ id: string; webhook: string; verified: number; bytes: number }>(
        "SELECT id, webhook, verified, bytes FROM deliveries WHERE id < ? ORDER BY id LIMIT ?",
        firstDeliveryIdAt(this.#number(), before),
        AT_ONCE,
      )
      .toArray();
    for (const { id, webhook, verified, bytes } of due) {
      this.#sql.exec("DELETE FROM deliveries WHERE id = ?", id);
      if (this.#spend(webhook, verified, -bytes) <= 0)
        this.#sql.exec("DELETE FROM budgets WHERE webhook = ? AND verified = ?", webhook, verified);
    }
  }

  /** Should even this fail, the next object that starts does it. */
  async #rearm(notBefore: number): Promise<void> {
    try {
      this.#armForOldest(notBefore);
      await this.#alarm.flush();
    } catch (error) {
      logError("deliveries: alarm", error);
    }
  }

  #armForOldest(notBefore: number): void {
    const oldest = this.#sql.exec<{ at: number }>("SELECT at FROM deliveries ORDER BY id LIMIT 1").toArray()[0];
    if (oldest === undefined) return;
    const due = oldest.at + LIMITS.deliveryRetentionMs;
    this.#alarm.by(Math.max(notBefore, due <= notBefore ? due : due + EXPIRE_EVERY_MS));
  }

  #number(): number {
    const first = this.#sql.exec<{ id: string }>("SELECT id FROM deliveries ORDER BY id LIMIT 1").toArray()[0];
    this.#shard ??= Number.parseInt(first?.id.slice(3, 5) ?? "0", 16);
    return this.#shard;
  }
}

function groupsOf(sent: readonly Sent[]): Pick<NewDelivery, "webhook" | "verified">[] {
  const groups = new Map(sent.map(({ delivery }) => [`${delivery.webhook} ${String(delivery.verified)}`, delivery]));
  return [...groups.values()];
}
