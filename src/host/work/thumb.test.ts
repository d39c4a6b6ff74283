import path from "node:path";
import { expect, test } from "vitest";
import { anOrder } from "./_order.test-help.node.ts";
import { runExternalWork } from "./run-work.node.ts";

const work = { kind: "process" as const, command: [path.resolve("examples/thumb.sh")] };

test("examples/thumb.sh answers what POSIX says of a text", async () => {
  // cksum of "123456789" is the check value that POSIX's CRC is known by.
  const result = await runExternalWork(work, anOrder("123456789"), { log: () => {} });
  expect(result.ok ? JSON.parse(result.output) : result).toEqual({ bytes: 9, lines: 0, cksum: 930_766_865 });
  expect(result.logs).toMatchObject([{ message: "took the thumbprint of 9 bytes" }]);
});

test("examples/thumb.sh says that nothing is wrong data", async () => {
  const result = await runExternalWork(work, anOrder(""), { log: () => {} });
  expect(result).toMatchObject({ ok: false, error: { detail: "there is nothing on stdin" }, retry: { kind: "never" } });
});
