/** The command line itself; what it stores is tested in ../build/store-module.test.ts. No platform is needed. */
import { execFile } from "node:child_process";
import path from "node:path";
import { expect, test } from "vitest";
import { packageFolder } from "../build/workers.ts";

function opctl(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1" };
    execFile(
      process.execPath,
      [path.join("cli", "opctl.js"), ...words],
      { cwd: packageFolder(), env },
      (error, out, err) => resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err }),
    );
  });
}

test("opctl deploy --dry-run says what it would store, and needs no platform", async () => {
  const { code, out, err } = await opctl("deploy", "examples/echo.ts#echo2", "--name", "mine", "--dry-run", "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(JSON.parse(out)).toMatchObject({
    operation: "mine",
    change: "dry_run",
    revision: null,
    module: "echo",
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    uploaded: false,
    exports: ["echo", "echo2"],
    input_type: "echo_input",
    output_type: "echo_output2",
    warnings: [],
  });
}, 30_000);

test("opctl deploy asks for an export where there is a choice", async () => {
  const { code, out, err } = await opctl("deploy", "examples/echo.ts", "--dry-run");
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toMatch(/must be named; it exports echo, echo2 \(usage\)\nnext: {2}opctl deploy examples\/echo\.ts#echo/);
}, 30_000);

test("opctl deploy refuses a name that the registry could not take", async () => {
  const { code, err } = await opctl("deploy", "examples/shout.ts", "--name", "Not Good", "--dry-run");
  expect(code).toBe(2);
  expect(err).toMatch(/Cannot name the operation "Not Good".*\nnext: {2}Give it one with --name\./);
}, 30_000);
