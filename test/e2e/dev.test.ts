/** Living with `opctl dev`: restarts, two side by side, what it refuses to start on, what survives kill -9. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { childOf, freePort, install, ROOT, run, startDev, temporaryFolder, waitUntil, type Dev } from "./_platform.ts";

const OPCTL = path.join(ROOT, "cli/opctl.js");
const devArgs = (port: number, state: string): string[] => [OPCTL, "dev", "--port", String(port), "--state", state];

describe("opctl dev", () => {
  it("keeps everything over a restart, the token included", async () => {
    const args = ["--examples"];
    const first = await startDev({ args });
    await install(first, "kept", "export function kept() { return 'still here'; }");
    await first.request("/registry/operations/echo", { method: "PATCH", body: '{"active":false}' });
    await first.stop({ keep: true });
    const second = await startDev({ state: first.state, port: first.port, args });
    try {
      // Not even an example that somebody switched off is put back, and it does not keep the platform from starting.
      expect(await second.call("echo", { input_str: "x" })).toMatchObject({ body: { code: "operation_inactive" } });
      expect(second.token).toBe(first.token);
      expect(await second.call("kept", {})).toMatchObject({ body: "still here" });
    } finally {
      await second.stop();
    }
  });

  it("writes credentials that only the owner can read, and opctl finds them", async () => {
    const dev = await startDev();
    try {
      expect(statSync(path.join(dev.state, "credentials.json")).mode & 0o777).toBe(0o600);
      expect(statSync(path.join(dev.state, "master.key")).mode & 0o777).toBe(0o600);
      const shown = await run(process.execPath, [OPCTL, "--state", dev.state, "token", "show"], {
        env: { SWITCHYARD_URL: "", SWITCHYARD_TOKEN: "" },
      });
      expect(shown.stdout.trim()).toBe(dev.token);
    } finally {
      await dev.stop();
    }
  });

  it("runs twice side by side without touching each other", async () => {
    const [one, two] = await Promise.all([startDev(), startDev()]);
    try {
      await install(one, "which", "export function which() { return 1; }");
      await install(two, "which", "export function which() { return 2; }");
      expect([(await one.call("which", {})).body, (await two.call("which", {})).body]).toEqual([1, 2]);
      expect(await one.call("which", {}, { token: two.token })).toMatchObject({ status: 401 });
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });

  it("refuses a port in use, naming a free one", async () => {
    const server = net.createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const ran = await run(process.execPath, devArgs(port, temporaryFolder()));
    server.close();
    expect(ran.code).toBe(5);
    expect(ran.stderr).toContain(`Cannot listen on 127.0.0.1:${port}`);
    expect(ran.stderr).toMatch(/--port \d+/);
  });

  it("refuses a state folder in use", async () => {
    const dev = await startDev();
    const ran = await run(process.execPath, devArgs(await freePort(), dev.state));
    await dev.stop();
    expect(ran.code).toBe(5);
    expect(ran.stderr).toContain("another holds it");
  });

  it("refuses a corrupt registry file and leaves it as it is", async () => {
    const state = temporaryFolder();
    const file = path.join(state, "registry.db");
    writeFileSync(file, "this is no database, but somebody may still want it ".repeat(100));
    const before = readFileSync(file);
    const ran = await run(process.execPath, devArgs(await freePort(), state));
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain("registry_corrupt");
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});

describe("faults", () => {
  it("kill -9 of the platform during writes leaves no half revision", async () => {
    const state = temporaryFolder();
    let dev: Dev = await startDev({ state });
    await install(dev, "target", "export function target() { return 0; }");
    for (let round = 0; round < 3; round++) {
      let written = 0;
      const writing = (async () => {
        for (let n = 1; ; n++) {
          const answer = await dev.request("/registry/operations/target", {
            method: "PATCH",
            body: JSON.stringify({ description: `round ${round} write ${n}` }),
          });
          if (!answer.ok) throw new Error(await answer.text());
          written = n;
        }
      })().catch(() => undefined);
      await waitUntil(() => written >= 5 + round * 3, 20_000);
      dev.child.kill("SIGKILL");
      await writing;
      // The same port and folder at once: nothing of the dead platform may go on holding them.
      await waitUntil(() => dev.child.signalCode !== null, 5_000);
      await new Promise((resolve) => setTimeout(resolve, 100));
      dev = await startDev({ state, port: dev.port });
      const row = (await (await dev.request("/registry/operations/target")).json()) as {
        description: string;
        meta: { revision: number };
      };
      const { items } = (await (await dev.request("/registry/operations/target/revisions?limit=1000")).json()) as {
        items: { meta: { revision: number } }[];
      };
      // What was acknowledged is there; at most the one in flight besides.
      expect([written, written + 1]).toContain(Number(/write (\d+)/.exec(row.description)?.[1]));
      expect(items.map((item) => item.meta.revision).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: row.meta.revision }, (_, index) => index + 1),
      );
      expect(await dev.call("target", {})).toMatchObject({ body: 0 });
    }
    await dev.stop();
  });

  it("the edge gone: it is started again on the same port, with everything there", async () => {
    const dev = await startDev();
    try {
      await install(dev, "kept", "export function kept() { return 'still here'; }");
      const { headers } = await dev.call("kept", {});
      await waitUntil(async () => (await dev.request(`/executions/${headers.get("execution-id")}`)).ok, 5_000);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      // miniflare hands its workerd the configuration in binary form; executors read a file.
      process.kill(childOf(dev, "--binary"), "SIGKILL");
      await waitUntil(
        async () => (await dev.call("kept", {}).catch(() => undefined))?.body === "still here",
        15_000,
        () => dev.output(),
      );
      const record = await dev.request(`/executions/${headers.get("execution-id")}`);
      expect(await record.json()).toMatchObject({ operation: "kept", status: "succeeded" });
    } finally {
      await dev.stop();
    }
  });

  it("the registry gone mid-request: cached operations go on, writes fail cleanly, all heals", async () => {
    const dev = await startDev();
    try {
      await install(dev, "cached", "export function cached() { return 'still answers'; }");
      expect(await dev.call("cached", {})).toMatchObject({ status: 200 });
      const pid = childOf(dev, "process.node.ts");
      process.kill(pid, "SIGSTOP");
      try {
        await new Promise((resolve) => setTimeout(resolve, 1_100));
        const answer = await dev.call("cached", {});
        expect(answer).toMatchObject({ status: 200, body: "still answers" });
        expect(answer.headers.get("registry-stale")).toBe("true");
        const write = await dev.request("/registry/operations/cached", {
          method: "PATCH",
          body: '{"description":"x"}',
        });
        expect(write.status).toBe(503);
        expect(await write.json()).toMatchObject({ code: "registry_unavailable" });
      } finally {
        process.kill(pid, "SIGCONT");
      }
      process.kill(pid, "SIGKILL");
      await waitUntil(
        async () =>
          (await dev.request("/registry/operations/cached", { method: "PATCH", body: '{"description":"healed"}' })).ok,
        10_000,
        () => dev.output(),
      );
      expect(await (await dev.request("/registry/operations/cached")).json()).toMatchObject({ description: "healed" });
    } finally {
      await dev.stop();
    }
  });
});
