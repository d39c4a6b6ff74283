/** What an agent waits for: the attempts of its steps' executions, said once each, and asked for only while it is quiet. */
import { describe, expect, test } from "vitest";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Client } from "../client.ts";
import { idOf, viewOf } from "../testing/fake-executions.ts";
import { attemptsOf, WaitedFor } from "./waited-for.ts";

const step = (id: number, status: string, execution: string | null) => ({
  id,
  description: `step ${id + 1}`,
  status,
  execution_id: execution,
});
const LOOPING = {
  status: "queued",
  attempt: 2,
  next_attempt_at: "2026-11-29T18:10:22.000Z",
  error: { code: "service_crash_looping", detail: "Cannot start it: it falls over" },
} as const;
const TEXT =
  "queued, attempt 2, next attempt 2026-11-29T18:10:22.000Z, service_crash_looping: Cannot start it: it falls over";

function world(...steps: object[]) {
  const answers = new Map<string, unknown>([["/agents/counters/status", { plan: { number: 1, steps } }]]);
  const asked: string[] = [];
  const request = async (_method: string, route: string) => {
    asked.push(route);
    const found = answers.get(route);
    if (found === undefined) throw new SwitchyardError("forbidden", `Cannot look at ${route}`);
    return { status: 200, headers: new Headers(), text: JSON.stringify(found) };
  };
  const client = { request } as unknown as Client;
  return { answers, asked, client, plan: { number: 1, steps } as unknown as Parameters<typeof attemptsOf>[1] };
}

describe("attemptsOf()", () => {
  test("reads the executions of what is under way, and of nothing else", async () => {
    const { answers, asked, client, plan } = world(
      step(0, "succeeded", idOf(1)),
      step(1, "started", idOf(2)),
      step(2, "started", null),
      step(3, "started", idOf(4)),
      step(4, "waiting", null),
    );
    answers.set(`/executions/${idOf(2)}`, viewOf(2, LOOPING));
    // What may not be looked at is left out.
    expect([...(await attemptsOf(client, plan))]).toEqual([[1, TEXT]]);
    expect(asked).toEqual([`/executions/${idOf(2)}`, `/executions/${idOf(4)}`]);
  });

  test("has the error of the attempt before where the next is under way", async () => {
    const { answers, client, plan } = world(step(0, "started", idOf(1)));
    const attempts = [{ attempt: 1, error: { code: "handler_failed", detail: "it threw" } }];
    answers.set(`/executions/${idOf(1)}`, { ...viewOf(1, { status: "running", attempt: 2 }), attempts });
    expect([...(await attemptsOf(client, plan))]).toEqual([[0, "running, attempt 2, handler_failed: it threw"]]);
  });

  test("asks for few of many", async () => {
    const { asked, client, plan } = world(...Array.from({ length: 20 }, (_, at) => step(at, "started", idOf(at))));
    await attemptsOf(client, plan);
    expect(asked).toHaveLength(5);
  });
});

describe("WaitedFor", () => {
  test("reads the status once for as long as nothing is heard, and again until each execution is known", async () => {
    const { answers, asked, client } = world(step(0, "started", null));
    const waitedFor = new WaitedFor(client, "counters");
    expect(await waitedFor.lines()).toEqual(["waits for 1. step 1"]);
    answers.set("/agents/counters/status", { plan: { number: 1, steps: [step(0, "started", idOf(1))] } });
    answers.set(`/executions/${idOf(1)}`, viewOf(1, LOOPING));
    const line = `waits for 1. step 1  ${idOf(1)}: ${TEXT}`;
    expect(await waitedFor.lines()).toEqual([line]);
    expect(await waitedFor.lines()).toEqual([line]);
    const statuses = () => asked.filter((route) => route.endsWith("/status")).length;
    expect(statuses()).toBe(2);
    waitedFor.heard();
    await waitedFor.lines();
    expect(statuses()).toBe(3);
  });

  test("says a line once, the next attempt again, until it is told to end", async () => {
    const { answers, client } = world(step(0, "started", idOf(1)));
    // Each attempt is read twice.
    let reads = 0;
    answers.set(`/executions/${idOf(1)}`, {
      toJSON: () => viewOf(1, { ...LOOPING, attempt: 2 + Math.floor(reads++ / 2) }),
    });
    const over = new AbortController();
    const said: string[] = [];
    await new WaitedFor(client, "counters").say(
      (line) => {
        said.push(line.replace(/^.*: queued, /, "").replace(/, next.*$/, ""));
        if (said.length === 3) over.abort();
      },
      over.signal,
      1,
    );
    expect(said).toEqual(["attempt 2", "attempt 3", "attempt 4"]);
  });
});
