/**
 * The host's job and Lambda doors against the real platform: a stand-in for Lambda takes the adapter's invocations and
 * starts a bundled door for each, as the cloud would.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundleHost } from "../../cli/build/host.ts";
import { install, ROOT, startDev, type Dev } from "./_platform.ts";

let dev: Dev;
let cloud: Server;
const folder = mkdtempSync(path.join(os.tmpdir(), "sy-doors-"));
/** What each job came to: its exit code and what it printed. */
const jobs: Promise<[code: number | null, printed: string]>[] = [];

const CALL_HANDLER = `
  const { handler } = await import(process.argv[1]);
  let text = "";
  for await (const piece of process.stdin) text += piece;
  process.stdout.write(JSON.stringify(await handler(JSON.parse(text))), () => process.exit(0));`;

async function runDoor(args: string[], env: Record<string, string>, input = ""): Promise<[number | null, string]> {
  const child = spawn(process.execPath, args, {
    env: { PATH: "/usr/bin:/bin", SWITCHYARD_HOST_RUNTIME: "node", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(input);
  let printed = "";
  child.stdout.on("data", (piece: Buffer) => (printed += String(piece)));
  const [code] = (await once(child, "close")) as [number | null];
  return [code, printed];
}

beforeAll(async () => {
  for (const door of ["job", "lambda"] as const) {
    writeFileSync(path.join(folder, `${door}.mjs`), await bundleHost(ROOT, door));
  }
  cloud = createServer((request, response) => {
    const answer = async () => {
      const pieces: Buffer[] = [];
      for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
      const payload = Buffer.concat(pieces).toString();
      if (request.headers["x-amz-invocation-type"] === "Event") {
        const { job_url: url, job_token: token } = JSON.parse(payload) as { job_url: string; job_token: string };
        const env = { SWITCHYARD_JOB_URL: url, SWITCHYARD_JOB_TOKEN: token };
        jobs.push(runDoor([path.join(folder, "job.mjs")], env));
        return void response.writeHead(202).end();
      }
      const args = ["--input-type=module", "--eval", CALL_HANDLER, path.join(folder, "lambda.mjs")];
      response.end((await runDoor(args, {}, payload))[1]);
    };
    void answer();
  });
  await once(cloud.listen(0, "127.0.0.1"), "listening");
  dev = await startDev();
  for (const name of ["access_key_id", "secret_access_key"]) await dev.opctl(["secret", "set", name], { input: name });
  for (const invocation of ["event", "sync"]) {
    const environment = {
      name: `by-${invocation}`,
      adapter: "lambda",
      config: {
        region: "eu-central-1",
        endpoint: `http://127.0.0.1:${(cloud.address() as AddressInfo).port}`,
        network: "private",
        invocation,
      },
      secrets: { access_key_id: "access_key_id", secret_access_key: "secret_access_key" },
    };
    const created = await dev.opctl(["create", "environment", "-"], { input: JSON.stringify(environment) });
    expect(created, created.stderr).toMatchObject({ code: 0 });
  }
}, 90_000);
afterAll(async () => {
  await dev?.stop();
  cloud?.close();
  rmSync(folder, { recursive: true, force: true });
});

const CODE = `export const handler = async (input, ctx) => {
  if (input.fail) throw Object.assign(new Error("no film"), { code: "terminal" });
  const { twice } = await ctx.call("job_inner", { n: input.n });
  return { twice, execution: ctx.execution.execution_id.slice(0, 3) };
};`;

it.each(["event", "sync"])("an operation that runs by %s answers, calls back and fails like any other", async (how) => {
  await install(dev, "job_inner", "export const handler = (input) => ({ twice: input.n * 2 });");
  await install(dev, "job_outer", CODE, { environment: `by-${how}`, timeout_ms: 20_000 });
  const started = jobs.length;
  expect(await dev.call("job_outer", { n: 21 })).toMatchObject({ status: 200, body: { twice: 42, execution: "ex_" } });
  expect(await dev.call("job_outer", { fail: true })).toMatchObject({
    body: { code: "implementation_failed", detail: expect.stringContaining("no film") },
  });
  const ended = await Promise.all(jobs.slice(started));
  expect(ended).toEqual(how === "event" ? Array(2).fill([0, "job: reported\n"]) : []);
});

it("an output that Lambda cannot carry comes back as an artifact", async () => {
  const code = "export const handler = () => 'x'.repeat(6 * 1024 * 1024);";
  await install(dev, "job_long", code, { environment: "by-sync", timeout_ms: 20_000 });
  const { status, body } = await dev.call("job_long", {});
  expect([status, (body as string).length]).toEqual([200, 6 * 1024 * 1024]);
});
