/** Agents that are followed to their ends, one and a fleet: what ends it, what a restart does to it, who is asked and who is not. */
import { describe, expect, test, vi } from "vitest";
import { SwitchyardError } from "../../src/core/errors.ts";
import { createOutput } from "../output.ts";
import { FakeAgents, numbered, phase } from "../testing/fake-agents.ts";
import { followAgent, type AgentEvent } from "./api.ts";
import { Progress } from "./progress.ts";
import { followToEnd, matching, seekFleet } from "./seek.ts";

const SEEK = { name: "counters", seek: 1, event: 0, active: true };

function screen(columns?: number) {
  const said = { out: "", err: "" };
  const output = createOutput(
    { json: false, quiet: false },
    {
      out: (text) => void (said.out += text),
      bytes: async () => undefined,
      err: (text) => void (said.err += text),
      colour: false,
      watched: columns !== undefined,
      columns,
      terminal: false,
    },
  );
  return { said, output };
}

const step = (at: number, status: string, over: object = {}): Partial<AgentEvent> => ({
  type: "step",
  step: at,
  description: `step ${at + 1}`,
  status,
  ...over,
});
const PLAN: Partial<AgentEvent> = {
  type: "plan",
  plan: 1,
  steps: [
    { id: 0, description: "a + 1", needs: [] },
    { id: 1, description: "b + 1", needs: [] },
  ],
};

describe("followToEnd()", () => {
  test.each<[string, Partial<AgentEvent>, { phase: string; reason: string | null }]>([
    ["there", phase("reached"), { phase: "reached", reason: null }],
    ["no way", phase("unreachable", "no way to /a"), { phase: "unreachable", reason: "no way to /a" }],
    ["given up", phase("failed", "gave up"), { phase: "failed", reason: "gave up" }],
    ["stopped", phase("stopped"), { phase: "stopped", reason: null }],
    ["another target", { type: "target", seek: 2 }, { phase: "stopped", reason: "it was set another target" }],
    [
      "paused",
      phase("waiting", "its row says active: false", false),
      { phase: "waiting", reason: "its row says active: false" },
    ],
  ])("ends with what ends it: %s", async (_what, last, end) => {
    const agents = new FakeAgents();
    // Neither what was wanted first nor a wait for the next try is an end.
    agents.follow("counters", { type: "target", seek: 1 }, phase("planning"), phase("waiting", "a step failed"), last);
    expect(await followToEnd(agents.client, SEEK, () => undefined)).toEqual({ name: "counters", ...end });
  });

  test("does not follow an agent that rests already", async () => {
    const agents = new FakeAgents();
    const end = await followToEnd(agents.client, { ...SEEK, active: false }, () => undefined);
    expect([end.phase, agents.after]).toEqual(["waiting", []]);
  });

  test("says so when the agent is deleted meanwhile", async () => {
    const agents = new FakeAgents();
    agents.follow("counters", phase("running"));
    await expect(followToEnd(agents.client, SEEK, () => undefined)).rejects.toMatchObject({ code: "entity_not_found" });
  });
});

describe("followAgent()", () => {
  test("goes on behind the last event when the platform restarts, and tells each once", async () => {
    const agents = new FakeAgents();
    agents.connections.set("counters", [
      { events: numbered([phase("planning"), phase("running")]), last: "cut" },
      new SwitchyardError("platform_unreachable", "Cannot reach the platform"),
      new SwitchyardError("state_unavailable", "Cannot reach the agent"),
      { events: numbered([phase("reached")], 3), last: "end" },
    ]);
    const told: number[] = [];
    const following = (async () => {
      for await (const { seq } of followAgent(agents.client, "counters", 0)) told.push(seq);
    })();
    // A refusal is no restart.
    await expect(following).rejects.toMatchObject({ code: "entity_not_found" });
    expect(told).toEqual([1, 2, 3]);
    expect(agents.after).toEqual([0, 2, 2, 2, 3]);
    expect(agents.told).toEqual([expect.stringMatching(/^the platform is lost: /) as string, "the platform is back"]);
  });
});

describe("Progress", () => {
  const happened = [
    PLAN,
    step(0, "started"),
    step(1, "started"),
    step(0, "succeeded"),
    { type: "state", patches: [{ path: "/a", value: 1 }] },
    step(1, "failed", { error: { code: "x", detail: "no" } }),
    phase("waiting", "b + 1: no"),
  ];

  test("is a line each where nobody watches", () => {
    const { said, output } = screen();
    const progress = new Progress(output);
    for (const event of happened) progress.tell(event as AgentEvent);
    progress.end();
    expect(said.err.trimEnd().split("\n")).toEqual([
      "plan 1    2 steps",
      "started   1. step 1",
      "started   2. step 2",
      "succeeded 1. step 1",
      "state     /a = 1",
      "failed    2. step 2  x: no",
      "waiting: b + 1: no",
    ]);
  });

  test("counts one step as one, and names the places of an input that does not fit", () => {
    const { said, output } = screen();
    const progress = new Progress(output);
    const errors = [{ pointer: "/text", keyword: "type", detail: "must be text" }];
    progress.tell({ ...PLAN, steps: [{ id: 0, description: "a + 1", needs: [] }] } as unknown as AgentEvent);
    progress.tell(step(0, "failed", { error: { code: "input_invalid", detail: "no", errors } }) as AgentEvent);
    expect(said.err).toBe("plan 1    1 step\nfailed    1. step 1  input_invalid: no; /text: must be text\n");
  });

  test("is one line drawn over on a terminal, with what is worth keeping above it", () => {
    const { said, output } = screen(80);
    const progress = new Progress(output);
    for (const event of happened) progress.tell(event as AgentEvent);
    progress.end();
    const drawn = said.err.split("\r\u001B[2K").flatMap((each) => each.split("\n"));
    expect(drawn.filter((text, at) => text !== "" && text !== drawn[at - 1])).toEqual([
      "plan 1, 0 of 2 steps done",
      "plan 1    2 steps",
      "plan 1, 0 of 2 steps done",
      "plan 1, 0 of 2 steps done: a + 1",
      "plan 1, 0 of 2 steps done: a + 1, b + 1",
      "plan 1, 1 of 2 steps done: b + 1",
      "plan 1, 1 of 2 steps done",
      "failed    2. step 2  x: no",
      "plan 1, 1 of 2 steps done",
      "waiting: b + 1: no",
      "plan 1, 1 of 2 steps done",
    ]);
    // Nothing is left of it.
    expect(said.err.endsWith("\r\u001B[2K")).toBe(true);
  });
});

/** Agents `edge-1`, `edge-2` …, each with the phase that it ends in. */
function fleetOf(...ends: string[]): { agents: FakeAgents; names: string[] } {
  const agents = new FakeAgents();
  const names = ends.map((end, at) => {
    agents.follow(`edge-${at + 1}`, phase(end));
    return `edge-${at + 1}`;
  });
  return { agents, names };
}

describe("seekFleet()", () => {
  test.each<
    [string, string[], { canary: number; maxFailures: number; parallel?: number }, { asked: number; there: number }]
  >([
    ["all get there", ["reached", "reached", "reached"], { canary: 1, maxFailures: 0 }, { asked: 3, there: 3 }],
    ["the canary fails", ["failed", "reached", "reached"], { canary: 1, maxFailures: 5 }, { asked: 1, there: 0 }],
    [
      "one of two canaries fails",
      ["reached", "failed", "reached"],
      { canary: 2, maxFailures: 5 },
      { asked: 2, there: 1 },
    ],
    [
      "none may fail, one does",
      ["failed", "reached", "reached"],
      { canary: 0, maxFailures: 0 },
      { asked: 1, there: 0 },
    ],
    ["one may fail, one does", ["failed", "reached", "reached"], { canary: 0, maxFailures: 1 }, { asked: 3, there: 2 }],
    [
      "one may fail, two do",
      ["failed", "unreachable", "reached", "reached"],
      { canary: 0, maxFailures: 1 },
      { asked: 2, there: 0 },
    ],
    [
      "two may fail, two do",
      ["failed", "reached", "stopped", "reached"],
      { canary: 0, maxFailures: 2 },
      { asked: 4, there: 2 },
    ],
    [
      "after the canary one may fail, two do",
      ["reached", "failed", "failed", "reached"],
      { canary: 1, maxFailures: 1 },
      { asked: 3, there: 1 },
    ],
    [
      "three at once: those that were asked go on",
      ["failed", "failed", "reached", "reached"],
      { canary: 0, maxFailures: 0, parallel: 3 },
      { asked: 3, there: 1 },
    ],
    ["more canaries than agents", ["reached", "reached"], { canary: 9, maxFailures: 0 }, { asked: 2, there: 2 }],
  ])("%s", async (_what, phases, options, { asked, there }) => {
    const { agents, names } = fleetOf(...phases);
    const { said, output } = screen();
    const wish = { target: {}, cancel: false, parallel: 1, ...options };
    const { ends, left } = await seekFleet({ client: agents.client, output }, names, wish);
    expect(agents.asked).toEqual(names.slice(0, asked).map((name) => `${name} seek`));
    expect(left).toEqual(names.slice(asked));
    expect(ends.filter((end) => end.phase === "reached")).toHaveLength(there);
    // How many there are, then one line an agent, summed up.
    expect(said.err).toMatch(new RegExp(`^0 of ${names.length} there, 0 not\n`));
    expect(
      said.err
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => /\((.*)\)$/.exec(line)?.[1]),
    ).toEqual(ends.map((_, at) => `${at + 1} of ${names.length}`));
  });

  test("asks no one of the rest before the canary is there", async () => {
    const { agents, names } = fleetOf("reached", "reached", "reached");
    const { output } = screen();
    agents.onSeek = (name) => {
      // The canary's events have been read to their end by then.
      if (name !== "edge-1") expect(agents.connections.get("edge-1")).toEqual([]);
    };
    const wish = { target: {}, cancel: false, canary: 1, maxFailures: 0, parallel: 10 };
    expect((await seekFleet({ client: agents.client, output }, names, wish)).ends).toHaveLength(3);
  });

  test("counts one that cannot be asked as one that has not got there, and goes on", async () => {
    const { agents } = fleetOf("reached");
    const { output } = screen();
    const wish = { target: {}, cancel: false, canary: 0, maxFailures: 1, parallel: 1 };
    const { ends } = await seekFleet({ client: agents.client, output }, ["gone", "edge-1"], wish);
    expect(ends).toEqual([
      { name: "gone", phase: "unknown", reason: expect.stringContaining("entity_not_found: Cannot find") as string },
      { name: "edge-1", phase: "reached", reason: null },
    ]);
  });

  test.each([undefined, 80])("says what is waited for while nothing happens (%s columns)", async (columns) => {
    const { agents, names } = fleetOf("reached", "reached");
    const { said, output } = screen(columns);
    const started = { id: 0, description: "a + 1", status: "started", execution_id: null };
    agents.statuses.set("edge-1", { next_at: null, plan: { number: 1, steps: [started] } });
    const waits = { phase: "waiting", reason: "b + 1: no", next_at: "2026-11-29T18:10:22.000Z", plan: null };
    agents.statuses.set("edge-2", waits);
    const { promise: isSaid, resolve } = Promise.withResolvers<void>();
    agents.onFollow = () => isSaid;
    const wish = { target: {}, cancel: false, canary: 0, maxFailures: 0, parallel: 2, quietMs: 5 };
    const seeking = seekFleet({ client: agents.client, output }, names, wish);
    await vi.waitFor(() => {
      expect(said.err).toContain("0 of 2 there, 0 not; at work: edge-1 edge-2");
      expect(said.err).toContain("edge-1 waits for 1. a + 1\n");
      expect(said.err).toContain("edge-2 waits until 2026-11-29T18:10:22.000Z: b + 1: no\n");
    });
    resolve();
    expect((await seeking).ends).toHaveLength(2);
    // Once each, however long it takes.
    expect(said.err.match(/edge-1 waits for/g)).toHaveLength(1);
  });

  test("sums up in one line that is drawn over on a terminal", async () => {
    const { agents, names } = fleetOf("reached", "failed");
    const { said, output } = screen(80);
    const wish = { target: {}, cancel: false, canary: 0, maxFailures: 1, parallel: 1 };
    await seekFleet({ client: agents.client, output }, names, wish);
    expect(said.err).toContain("\r\u001B[2K1 of 2 there, 0 not; at work: edge-2");
    expect(said.err).toContain("\r\u001B[2K1 of 2 there, 1 not\r\u001B[2K");
  });
});

test("matching() takes * for any part of a name, and nothing else for a pattern", async () => {
  const { agents } = fleetOf("reached", "reached");
  agents.follow("hedge.1", phase("reached"));
  expect(await matching(agents.client, "edge-*")).toEqual(["edge-1", "edge-2"]);
  expect(await matching(agents.client, "*dge*1")).toEqual(["edge-1", "hedge.1"]);
  await expect(matching(agents.client, "edge.*")).rejects.toMatchObject({ code: "entity_not_found" });
});
