import { describe, expect, test } from "vitest";
import { LEASE_IDLE_MS, LEASE_MS, RUNNER_PROTOCOL, type Declared } from "../model/runner-protocol.ts";
import { judgeHello, pick, whyNobody, type Candidate } from "./_decide.ts";

const declared: Declared = { version: "1", name: "a", instance: "i1", slots: 2, capabilities: {}, runs: ["module"] };
const plain: Candidate = {
  declared,
  inFlight: 0,
  isBusy: false,
  connected: true,
  draining: false,
  silentMs: 0,
  warm: false,
};
const wanted = { runnable: "module", requires: {}, capabilities: {} };

function runner(name: string, more: Partial<Candidate> = {}, says: Partial<Declared> = {}): Candidate {
  return { ...plain, ...more, declared: { ...declared, name, instance: `i-${name}`, ...says } };
}

describe("pick()", () => {
  const gpu = { capabilities: { gpu: true, memory_mb: 2_048 } };
  test.each<[string, Candidate[], Partial<typeof wanted> & { requires?: object }, string | undefined]>([
    ["nobody of none", [], {}, undefined],
    ["the only one", [runner("a")], {}, "a"],
    ["the one with more free slots", [runner("a", { inFlight: 1 }), runner("b")], {}, "b"],
    ["a warm one before a free one", [runner("a", { inFlight: 1, warm: true }), runner("b")], {}, "a"],
    ["another when the warm one is full", [runner("a", { inFlight: 2, warm: true }), runner("b")], {}, "b"],
    ["nobody that is full", [runner("a", { inFlight: 2 })], {}, undefined],
    ["nobody that drains", [runner("a", { draining: true })], {}, undefined],
    ["nobody whose socket is gone", [runner("a", { connected: false })], {}, undefined],
    ["nobody silent past its lease", [runner("a", { isBusy: true, silentMs: LEASE_MS + 1 })], {}, undefined],
    ["an idle one that beats slowly", [runner("a", { silentMs: LEASE_MS + 1 })], {}, "a"],
    ["nobody idle and silent for long", [runner("a", { silentMs: LEASE_IDLE_MS + 1 })], {}, undefined],
    ["the one with the capability", [runner("a"), runner("b", {}, gpu)], { requires: { gpu: true } }, "b"],
    ["enough of a number", [runner("b", {}, gpu)], { requires: { memory_mb: 2_000 } }, "b"],
    ["not too little of a number", [runner("b", {}, gpu)], { requires: { memory_mb: 4_096 } }, undefined],
    ["what the row says", [runner("a")], { requires: { zone: "x" }, capabilities: { zone: "x" } }, "a"],
    ["nobody that does not run that sort", [runner("a")], { runnable: "process" }, undefined],
  ])("takes %s", (_what, runners, more, name) => {
    expect(pick(runners, { ...wanted, ...more })?.declared.name).toBe(name);
  });
});

describe("whyNobody()", () => {
  test("says what each lacks", () => {
    expect(whyNobody([], wanted)).toBe("no runner is connected");
    expect(whyNobody([runner("a")], { ...wanted, requires: { gpu: true } })).toBe(
      "none of the 1 connected fits: a: it needs gpu=true; it has none",
    );
    expect(whyNobody([runner("a")], { ...wanted, runnable: "process" })).toContain("it does not run process");
  });
});

describe("judgeHello()", () => {
  const hello = { protocol: RUNNER_PROTOCOL, name: "a", instance: "i-a", version: "1" };
  test.each<[string, Partial<typeof hello>, Candidate | undefined, string, RegExp?]>([
    ["a new name", {}, undefined, "new"],
    ["the same process", {}, runner("a"), "resume"],
    ["another process under a live name", { instance: "i-b" }, runner("a"), "close", /give this one its own --name/],
    [
      "another under a silent busy one",
      { instance: "i-b" },
      runner("a", { isBusy: true, silentMs: LEASE_MS + 1 }),
      "inherit",
    ],
    [
      "another under an idle one that beats slowly",
      { instance: "i-b" },
      runner("a", { silentMs: LEASE_MS + 1 }),
      "close",
    ],
    ["another under one without a socket", { instance: "i-b" }, runner("a", { connected: false }), "inherit"],
    ["an older protocol", { protocol: 0 }, undefined, "close", /host_outdated.*npm i -g switchyard@latest/],
    ["a newer protocol", { protocol: 99 }, undefined, "close", /host_outdated.*older than the runner/],
  ])("%s", (_what, more, holder, kind, reason) => {
    const verdict = judgeHello({ ...hello, ...more }, holder);
    expect(verdict.kind).toBe(kind);
    if (verdict.kind !== "close") return;
    if (reason !== undefined) expect(verdict.reason).toMatch(reason);
    expect(new TextEncoder().encode(verdict.reason).length).toBeLessThanOrEqual(123);
  });
});
