/** `opctl environment install` as a process: on a platform, IAM and Lambda in memory; what it has put there is then run. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { joinFrame } from "../../src/model/frame.ts";
import { HOST_PROTOCOL, NEED_REPLY } from "../../src/model/host-protocol.ts";
import { opctlOnFake } from "../testing/opctl-on-fake.ts";
import { runOpctl } from "../testing/run-opctl.ts";
import { startFakeAws, type FakeAws } from "./installers/_fake-aws.ts";

// It bundles the host, on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const fake = opctlOnFake();
let aws: FakeAws;
beforeEach(async () => {
  aws = await startFakeAws();
  put();
});
afterEach(() => aws.close());

function put(config: object = {}): void {
  const lambda = { region: "eu-central-1", endpoint: aws.endpoint, ...config };
  fake.platform.put("environment", { name: "lambda-eu", adapter: "lambda", config: lambda });
}

function install(words: string[] = [], env: Record<string, string> = {}) {
  const credentials = { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "the-secret" };
  return runOpctl(["environment", "install", "lambda-eu", ...words], {
    cwd: fake.folder,
    env: { ...fake.environment, ...credentials, AWS_ENDPOINT_URL_IAM: aws.endpoint, ...env },
  });
}

describe("opctl environment install", () => {
  test("installs a host that answers orders, then has nothing to do", async () => {
    const planned = await install(["--dry-run"]);
    expect(planned.stdout).toMatch(/^would create the role .*\nwould attach .*\nwould create the function .*\n$/);
    expect(aws.function).toBeUndefined();

    const run = await install();
    expect(run).toMatchObject({ code: 0, stdout: planned.stdout.replaceAll(/^would /gm, "done: ") });
    expect(run.stderr).toContain("need lambda:InvokeFunction on arn:aws:lambda:eu-central-1:");
    expect(fake.platform.seen.map(({ headers, body }) => JSON.stringify([headers, body])).join("")).not.toContain(
      "AKID",
    );

    const folder = path.join(fake.folder, "function");
    mkdirSync(folder);
    // The first entry, stored as it is; zip.test.ts has others read the archive.
    const [size, nameLength] = [aws.zip.readUInt32LE(22), aws.zip.readUInt16LE(26)];
    writeFileSync(path.join(folder, "index.mjs"), aws.zip.subarray(30 + nameLength, 30 + nameLength + size));
    const order = {
      protocol: HOST_PROTOCOL,
      isolate: "i",
      work: { kind: "module", language: "javascript" },
      meta: { execution_id: "ex_1", attempt: 1, timeout_ms: 1_000 },
      platform_url: null,
    };
    const script = `import { handler } from "./index.mjs"; console.log(JSON.stringify(await handler(${JSON.stringify({ order: joinFrame(order, "1") })}))); process.exit()`;
    const ran = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: folder,
      encoding: "utf8",
    });
    expect([ran.stderr, ran.stdout]).toEqual(["", `${JSON.stringify({ reply: NEED_REPLY })}\n`]);

    const again = await install();
    expect(again).toMatchObject({ code: 0, stdout: "nothing to do: switchyard-host is as it should be\n", stderr: "" });
  });

  test("says as JSON what it did, and warns of a version that stays what it was", async () => {
    const run = await install(["--json", "--memory-mb", "512"]);
    expect(JSON.parse(run.stdout)).toMatchObject({ environment: "lambda-eu", dry_run: false, steps: { length: 3 } });
    put({ function: "arn:aws:lambda:eu-central-1:123456789012:function:switchyard-host", qualifier: "live" });
    const updated = await install(["--memory-mb", "2048"]);
    expect(updated.stdout).toMatch(/^done: update the settings of arn:.*: memory in MB 2048\n$/);
    expect(updated.stderr).toContain('the version or alias "live"');
  });

  test.each([
    ["no credentials", [], { AWS_SECRET_ACCESS_KEY: "" }, "AWS_SECRET_ACCESS_KEY must be set"],
    ["too little memory", ["--memory-mb", "128"], {}, "from 256 to 10240; it is 128"],
    ["a time-out that is none", ["--timeout-s", "1e2"], {}, "from 1 to 900; it is 1e2"],
    ["a role's name alone", ["--role", "mine"], {}, "must be the ARN of a role"],
  ])("asks AWS nothing with %s", async (_what, words, env, message) => {
    const run = await install(words, env);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(message);
    expect(aws.seen).toEqual([]);
  });
});
