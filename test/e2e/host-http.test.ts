/** An operation moved to a host behind HTTP, and to one that is a job, on the real platform: the same answers. */
import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, install, ROOT, startDev, waitUntil, type Dev } from "./_platform.ts";

let dev: Dev;
let host: ChildProcess;
let printed = "";

const SECRET = "only the platform knows";

beforeAll(async () => {
  dev = await startDev();
  const port = await freePort();
  host = spawn(process.execPath, [path.join(ROOT, "cli/opctl.js"), "host", "http"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], PORT: String(port), HOST: "127.0.0.1", SWITCHYARD_HOST_SECRET: SECRET },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [host.stdout, host.stderr]) stream?.on("data", (piece: Buffer) => (printed += String(piece)));
  await waitUntil(
    () => printed.includes("listens at"),
    20_000,
    () => printed,
  );
  const environment = {
    name: "box",
    adapter: "http",
    config: { url: `http://127.0.0.1:${port}`, network: "private", max_body_bytes: 600_000 },
    secrets: { host_secret: "box_secret" },
  };
  expect(await dev.opctl(["secret", "set", "box_secret"], { input: SECRET })).toMatchObject({ code: 0 });
  const created = await dev.opctl(["create", "environment", "-"], { input: JSON.stringify(environment) });
  expect(created, created.stderr).toMatchObject({ code: 0 });
});
afterAll(async () => {
  host?.kill("SIGKILL");
  await dev?.stop();
});

describe("a host behind HTTP", () => {
  it("gives the same answer as the edge, by one edited field", async () => {
    expect((await dev.opctl(["deploy", "examples/echo.ts#echo", "--name", "my_demo_operation"])).code).toBe(0);
    const call = ["call", "my_demo_operation", "input_str=hi"];
    const before = await dev.opctl(call);
    expect(before).toMatchObject({ code: 0 });
    const edited = await dev.opctl(["edit", "operation", "my_demo_operation", "-s", "environment=box"]);
    expect(edited, edited.stderr).toMatchObject({ code: 0 });
    expect(await dev.opctl(call)).toMatchObject({ code: 0, stdout: before.stdout });
    const accepted = await dev.opctl([...call, "--async", "--wait"]);
    expect(accepted, accepted.stderr).toMatchObject({ code: 0, stdout: before.stdout });
  });

  it("lets a handler call, put and get", async () => {
    await install(dev, "host_inner", "export const handler = (input) => ({ twice: input.n * 2 });");
    const code = `export const handler = async (input, ctx) => {
      const { twice } = await ctx.call("host_inner", { n: 21 });
      const { artifact_id } = await ctx.artifacts.put("kept", { name: "k.txt" });
      return [twice, await (await ctx.artifacts.get(artifact_id)).text(), typeof Deno];
    };`;
    await install(dev, "host_outer", code, { environment: "box" });
    expect(await dev.call("host_outer", {})).toMatchObject({ status: 200, body: [42, "kept", "undefined"] });
  });

  it("takes an input that is longer than the way, as an artifact", async () => {
    await install(dev, "host_long", "export const handler = (input) => input.text.length;", { environment: "box" });
    const text = "x".repeat(700_000);
    expect(await dev.call("host_long", { text })).toMatchObject({ status: 200, body: 700_000 });
  });

  it("says a handler's failure as the edge does", async () => {
    const code = "export const handler = () => { throw new Error('no film'); };";
    await install(dev, "host_fails", code);
    const inline = await dev.call("host_fails", {});
    await dev.opctl(["edit", "operation", "host_fails", "-s", "environment=box"]);
    const moved = await dev.call("host_fails", {});
    expect(said(moved)).toEqual(said(inline));
  });
});

function said({ status, body }: { status: number; body: unknown }) {
  const { code: what, detail } = body as { code: string; detail: string };
  return { status, what, detail };
}
