/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** Jobs from the ticket to the report: on real objects, through the real routes. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { Tickets } from "../../src/dispatch/ticket.ts";
import { splitFrame } from "../../src/model/frame.ts";
import type { HostOrder } from "../../src/model/host-protocol.ts";
import { KEY, SECRET_VALUE, TestWorld } from "./jobs-world.ts";

const OK_FRAME = '{"ok":true,"logs":[]}\n{"n":2}';
const OTHER_FRAME = '{"ok":true,"logs":[]}\n{"n":3}';
let shards = 0;
const world = (): TestWorld => new TestWorld(shards++ % 16);

async function told(response: Response): Promise<[number, string | undefined]> {
  return [response.status, (await response.json<{ code?: string }>()).code];
}

describe("a job", () => {
  it("fetches its order with definition, fresh capability and input, and reports to whoever waits", async () => {
    const here = world();
    const { ticket, handle } = await here.open();
    expect(handle).toBeUndefined();
    expect(ticket.id).toMatch(/^sy-[a-z0-9-]{1,57}$/);
    expect(ticket.url).toBe(`https://platform.test/jobs/${ticket.id}`);
    here.nowMs += 20 * 60_000;
    const fetched = await here.request(ticket.id, ticket.token);
    const [head, input] = splitFrame(await fetched.text());
    const order = JSON.parse(head) as HostOrder;
    expect(input).toBe('{"n":1}');
    expect(order).toMatchObject({ isolate: "isolate of work@3", definition: { secrets: { KEY: SECRET_VALUE } } });
    expect(head).not.toContain("principal");
    expect(await here.verify(order.meta.capability)).toEqual({ principalId: "owner", depth: 2 });
    const waiting = here.jobs.wait(ticket.id, 20_000);
    expect((await here.report(ticket.id, ticket.token, OK_FRAME)).status).toBe(200);
    expect(await waiting).toBe(OK_FRAME);
    expect(await here.jobs.close(ticket.id)).toEqual({ fetched: true });
  });

  it("is not told to have fetched what it has not", async () => {
    const here = world();
    const { ticket } = await here.open();
    expect(await here.jobs.close(ticket.id)).toEqual({ fetched: false });
    expect(await told(await here.request(ticket.id, ticket.token))).toEqual([409, "execution_final"]);
  });

  it("of the team's own container gets no definition, and the bare input where it asks for JSON", async () => {
    const here = world();
    const { ticket } = await here.open({ work: { kind: "container", image: "team/thumb", command: null } });
    const [head] = splitFrame(await (await here.request(ticket.id, ticket.token)).text());
    expect(JSON.parse(head)).toMatchObject({ work: { kind: "container" } });
    expect(head).not.toContain("definition");
    const bare = await here.request(ticket.id, ticket.token, { accept: "application/json" });
    expect(await bare.text()).toBe('{"n":1}');
    expect((await here.report(ticket.id, ticket.token, '{"output": 7}')).status).toBe(200);
    expect(await here.jobs.wait(ticket.id, 0)).toBe('{"output": 7}');
  });

  it("leaves no secret and no bearer in the storage", async () => {
    const here = world();
    const { ticket } = await here.open();
    await (await here.request(ticket.id, ticket.token)).text();
    const all = await runInDurableObject(here.stub(ticket.id), (_board, { storage }) => {
      const jobs = storage.sql.exec("SELECT * FROM jobs").toArray();
      const pieces = storage.sql.exec<{ bytes: ArrayBuffer }>("SELECT bytes FROM pieces").toArray();
      return JSON.stringify(jobs) + pieces.map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
    });
    expect(all).toContain('{"n":1}');
    for (const secret of [SECRET_VALUE, "syc.", "syj."]) expect(all).not.toContain(secret);
  });

  it("carries what is larger than a value of the database, whatever is in it", async () => {
    const here = world();
    const input = JSON.stringify("ä€😀".repeat(800_000));
    const { ticket } = await here.open({ input });
    expect(splitFrame(await (await here.request(ticket.id, ticket.token)).text())[1] === input).toBe(true);
    const report = `{"ok":true,"logs":[]}\n${input}`;
    expect((await here.report(ticket.id, ticket.token, report)).status).toBe(200);
    expect((await here.jobs.wait(ticket.id, 0)) === report).toBe(true);
  });
});

describe("open()", () => {
  it("gives a later attempt the job that is open, with its handle and the same ticket", async () => {
    const here = world();
    const first = await here.open();
    await here.jobs.note(first.ticket.id, "task 1");
    here.nowMs += 60_000;
    expect(await here.open({ attempt: 2 })).toEqual({ ticket: first.ticket, handle: "task 1" });
  });

  it.each([
    ["another item", { item: 1 }],
    ["another execution", { execution_id: "ex_05_00000000000000000000000zz" }],
  ])("gives %s a job of its own", async (_what, changes) => {
    const here = world();
    const [one, other] = [await here.open(), await here.open(changes)];
    expect(other.ticket.id).not.toBe(one.ticket.id);
    expect((await here.report(one.ticket.id, one.ticket.token, OK_FRAME)).status).toBe(200);
    expect(await here.jobs.wait(other.ticket.id, 0)).toBeUndefined();
  });

  it("gives a new one after the close, and in another environment, where the first is over", async () => {
    const here = world();
    const first = await here.open();
    await here.jobs.close(first.ticket.id);
    const second = await here.open({ attempt: 2 });
    expect(second.ticket.id).not.toBe(first.ticket.id);
    const third = await here.open({ attempt: 3, environment: "gcp" });
    expect(third.ticket.id).not.toBe(second.ticket.id);
    expect(await told(await here.report(second.ticket.id, second.ticket.token, OK_FRAME))).toEqual([
      409,
      "execution_final",
    ]);
  });
});

describe("a callback", () => {
  it("that is replayed is taken without effect, also after the close", async () => {
    const here = world();
    const { ticket } = await here.open();
    const once = () => here.report(ticket.id, ticket.token, OK_FRAME);
    expect([(await once()).status, (await once()).status]).toEqual([200, 200]);
    await here.jobs.close(ticket.id);
    expect((await once()).status).toBe(200);
  });

  it("that differs from the first is refused, and the first counts", async () => {
    const here = world();
    const { ticket } = await here.open();
    const both = await Promise.all([
      here.report(ticket.id, ticket.token, OK_FRAME),
      here.report(ticket.id, ticket.token, OTHER_FRAME),
    ]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    const kept = both[0]?.status === 200 ? OK_FRAME : OTHER_FRAME;
    expect(await here.jobs.wait(ticket.id, 0)).toBe(kept);
    expect(await told(await here.request(ticket.id, ticket.token))).toEqual([409, "execution_final"]);
  });

  it("for a closed job is refused", async () => {
    const here = world();
    const { ticket } = await here.open();
    await here.jobs.close(ticket.id);
    expect(await told(await here.report(ticket.id, ticket.token, OK_FRAME))).toEqual([409, "execution_final"]);
    expect(await here.jobs.wait(ticket.id, 0)).toBeUndefined();
  });

  it.each([
    ["no ticket", async () => undefined, "unauthenticated"],
    ["a forged one", async (id: string) => new Tickets("another key").sign(id, 9e15), "token_unknown"],
    ["another job's", async () => new Tickets(KEY).sign("sy-00-other-1", 9e15), "token_unknown"],
    ["a token of the registry", async () => "sy_owner_secret", "token_unknown"],
    ["one that has ended", async (id: string) => new Tickets(KEY).sign(id, 1_000), "token_expired"],
  ])("with %s is refused before anything is read, for GET and POST", async (_what, forge, code) => {
    const here = world();
    const { ticket } = await here.open();
    const token = await forge(ticket.id);
    expect(await told(await here.report(ticket.id, token, OK_FRAME))).toEqual([401, code]);
    expect(await told(await here.request(ticket.id, token))).toEqual([401, code]);
    expect(await here.jobs.wait(ticket.id, 0)).toBeUndefined();
    expect(await here.jobs.close(ticket.id)).toEqual({ fetched: false });
  });

  it("expires with its own ticket", async () => {
    const here = world();
    const { ticket } = await here.open({ timeout_ms: 60_000 });
    here.nowMs += 32 * 60_000;
    expect(await told(await here.report(ticket.id, ticket.token, OK_FRAME))).toEqual([401, "token_expired"]);
  });

  it.each([
    ["that is no report", "done", 400],
    ["that is not UTF-8", new Uint8Array([0xff, 0xfe]), 400],
    ["that is too large", " ".repeat(13 * 1024 * 1024), 413],
  ])("%s is refused, and a good one is still taken", async (_what, body, status) => {
    const here = world();
    const { ticket } = await here.open();
    expect((await here.report(ticket.id, ticket.token, body)).status).toBe(status);
    expect((await here.report(ticket.id, ticket.token, OK_FRAME)).status).toBe(200);
  });

  it("for a job that was never there is refused though its ticket is good", async () => {
    const here = world();
    const token = await new Tickets(KEY).sign("sy-00-none-1", 9e15);
    expect(await told(await here.report("sy-00-none-1", token, OK_FRAME))).toEqual([404, "entity_not_found"]);
  });
});

describe("an object that starts again", () => {
  it("between open and note knows the job", async () => {
    const here = world();
    const { ticket } = await here.open();
    await evictDurableObject(here.stub(ticket.id));
    await here.jobs.note(ticket.id, "task 1");
    await evictDurableObject(here.stub(ticket.id));
    expect(await here.open({ attempt: 2 })).toEqual({ ticket, handle: "task 1" });
  });

  it("between report and wait hands the report to whoever asks next, at once", async () => {
    const here = world();
    const { ticket } = await here.open();
    await here.report(ticket.id, ticket.token, OK_FRAME);
    await evictDurableObject(here.stub(ticket.id));
    expect(await here.jobs.wait(ticket.id, 20_000)).toBe(OK_FRAME);
    expect((await here.report(ticket.id, ticket.token, OK_FRAME)).status).toBe(200);
    expect(await told(await here.report(ticket.id, ticket.token, OTHER_FRAME))).toEqual([409, "execution_final"]);
  });
});

describe("the alarm", () => {
  it("forgets what was closed a day ago and nothing else, and sets itself for what is left", async () => {
    const here = world();
    const [gone, left] = [await here.open(), await here.open({ item: 1 })];
    await here.jobs.close(gone.ticket.id);
    const board = here.stub(gone.ticket.id);
    await runInDurableObject(board, (_board, { storage }) => {
      storage.sql.exec("UPDATE jobs SET forget_at = 1 WHERE id = ?", gone.ticket.id);
    });
    expect(await runDurableObjectAlarm(board)).toBe(true);
    expect(await told(await here.report(gone.ticket.id, gone.ticket.token, OK_FRAME))).toEqual([
      404,
      "entity_not_found",
    ]);
    expect((await here.report(left.ticket.id, left.ticket.token, OK_FRAME)).status).toBe(200);
    const at = await runInDurableObject(board, (_board, { storage }) => storage.getAlarm());
    expect(at).toBeGreaterThan(Date.now());
  });

  it("does not throw when it cannot write, and comes again", async () => {
    const here = world();
    const { ticket } = await here.open();
    const board = here.stub(ticket.id);
    await runInDurableObject(board, (_board, { storage }) => {
      storage.sql.exec("UPDATE jobs SET forget_at = 1 WHERE id = ?", ticket.id);
      storage.sql.exec("CREATE TRIGGER broken BEFORE DELETE ON jobs BEGIN SELECT RAISE(ABORT, 'full'); END");
    });
    expect(await runDurableObjectAlarm(board)).toBe(true);
    const at = await runInDurableObject(board, (_board, { storage }) => storage.getAlarm());
    expect(at).toBeGreaterThan(Date.now() + 5_000);
    await runInDurableObject(board, (_board, { storage }) => void storage.sql.exec("DROP TRIGGER broken"));
  });
});
