/** `opctl environment check`, and `install` where there is no installer, on a platform in memory. */
import { expect, test, vi } from "vitest";
import { opctlOnFake } from "../testing/opctl-on-fake.ts";

// Each command is a process of its own, on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

const fake = opctlOnFake();

const GOOD = {
  name: "edge",
  adapter: "inline",
  active: true,
  reachable: true,
  allowed: true,
  latency_ms: null,
  missing: [],
  facts: {} as Record<string, string>,
};
const BAD = {
  ...GOOD,
  name: "lambda-eu",
  adapter: "lambda",
  allowed: null,
  latency_ms: 31.6,
  missing: ["The function must be there: opctl environment install lambda-eu"],
  facts: { function: "switchyard-host" },
};

function put(...checks: (Omit<typeof GOOD, "allowed" | "latency_ms" | "missing"> & object)[]): void {
  for (const check of checks) {
    fake.platform.put("environment", { name: check.name, adapter: check.adapter, config: {} });
    fake.platform.checks.set(check.name, check);
  }
}

test("check shows a row for each, what is missing, and ends with 1", async () => {
  put(GOOD, BAD);
  const run = await fake.opctl("environment", "check");
  expect(run).toEqual({
    code: 1,
    stdout: [
      "NAME       ADAPTER  REACHABLE  ALLOWED  LATENCY",
      "edge       inline   yes        yes      -",
      "lambda-eu  lambda   yes        unknown  32 ms",
      "lambda-eu: The function must be there: opctl environment install lambda-eu",
      "",
    ].join("\n"),
    stderr: "",
  });
});

test("check of one that lacks nothing ends with 0, asks for no other and shows the facts", async () => {
  put({ ...GOOD, facts: { version: "1.2" } }, BAD);
  const run = await fake.opctl("environment", "check", "edge");
  expect(run.code).toBe(0);
  expect(run.stdout).toContain("  version: 1.2\n");
  expect(fake.platform.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(["POST /environments/edge/check"]);
});

test.each([
  ["not reachable", { reachable: false }],
  ["not allowed", { allowed: false }],
])("check ends with 1 when one is %s, even if nothing more is said", async (_what, over) => {
  put({ ...GOOD, ...over });
  expect((await fake.opctl("environment", "check", "edge")).code).toBe(1);
});

test("check --json gives what the platform found, as it is", async () => {
  put(GOOD, BAD);
  const run = await fake.opctl("environment", "check", "--json");
  expect(JSON.parse(run.stdout)).toEqual([GOOD, BAD]);
  expect(run.code).toBe(1);
});

test("check of one that is not there ends with 4", async () => {
  expect((await fake.opctl("environment", "check", "nowhere")).code).toBe(4);
});

test.each([
  ["runner", "opctl runner start --environment here"],
  ["inline", "nothing to install"],
  ["fargate", "docs/adapters/README.md"],
  ["constructor", "docs/adapters/README.md"],
])("install says what to do for %s, and ends with 2", async (adapter, hint) => {
  fake.platform.put("environment", { name: "here", adapter, config: {} });
  const run = await fake.opctl("environment", "install", "here");
  expect(run.code).toBe(2);
  expect(run.stderr).toContain(`its adapter must be one of lambda; it is ${adapter}`);
  expect(run.stderr).toContain(hint);
});

test("the names of environments are completed", async () => {
  put(GOOD, BAD);
  expect((await fake.opctl("__complete", "--", "environment", "")).stdout).toBe("check\ninstall\n");
  expect((await fake.opctl("__complete", "--", "environment", "check", "la")).stdout).toBe("lambda-eu\n");
  expect((await fake.opctl("__complete", "--", "runner", "start", "--environment", "e")).stdout).toBe("edge\n");
});
