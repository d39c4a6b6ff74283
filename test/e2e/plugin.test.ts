/** A package with an adapter, named in switchyard.adapters.js of the folder in which the platform is started. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NatsConnection } from "../../examples/adapter-plugin/src/nats-connection.ts";
import { connectTcp } from "../contracts/adapter/fake-ports.ts";
import { freePort, ROOT, run, startDev, temporaryFolder, type Dev } from "./_platform.ts";

// examples/adapter-plugin/nats.test.ts says it loudly, and fails where CI is set.
const isInstalled = spawnSync("nats-server", ["--version"]).error === undefined;

describe.skipIf(!isInstalled)("a plugin's adapter (SKIPPED without nats-server)", () => {
  let dev: Dev;
  let server: ChildProcess;
  let service: NatsConnection;
  let folder: string;

  beforeAll(async () => {
    folder = temporaryFolder();
    const plugin = path.join(ROOT, "examples/adapter-plugin/src/nats.ts");
    writeFileSync(
      path.join(folder, "switchyard.adapters.js"),
      `import nats from ${JSON.stringify(plugin)};\nexport default [nats];\n`,
    );
    const port = await freePort();
    server = spawn("nats-server", ["-a", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
    dev = await startDev({ cwd: folder });
    const tcp = connectTcp({ hostname: "127.0.0.1", port });
    await tcp.opened;
    service = new NatsConnection(tcp);
    await service.open({});
    await service.subscribe("thumbs.make");
    void (async () => {
      for (;;) {
        const { replyTo = "", payload } = await service.next();
        const { n } = JSON.parse(payload) as { n: number };
        await service.publish(replyTo, { payload: JSON.stringify({ doubled: 2 * n }) });
      }
    })().catch(() => undefined);
    const config = `config={"hostname":"127.0.0.1","port":${port},"network":"private"}`;
    const made = await dev.opctl(["create", "environment", "-s", "name=nats-1", "-s", "adapter=nats", "-s", config]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await service?.close();
    server?.kill("SIGKILL");
    await dev?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is looked at and run like any other", async () => {
    const checked = await dev.request("/environments/nats-1/check", { method: "POST" });
    expect(await checked.json()).toMatchObject({ adapter: "nats", reachable: true, allowed: true, missing: [] });
    const at = JSON.stringify({ implemented_at: { http: { url: "/thumbs.make" } }, environment: "nats-1" });
    expect((await dev.request("/registry/operations/thumb", { method: "PUT", body: at })).ok).toBe(true);
    expect(await dev.call("thumb", { n: 21 })).toMatchObject({ status: 200, body: { doubled: 42 } });
  });

  it("that cannot be bundled stops the start, with the reason", async () => {
    const broken = temporaryFolder();
    writeFileSync(
      path.join(broken, "switchyard.adapters.js"),
      'import none from "no-such-package";\nexport default [none];\n',
    );
    const words = [path.join(ROOT, "cli/opctl.js"), "dev", "--port", String(await freePort()), "--state", broken];
    const ran = await run(process.execPath, words, { cwd: broken });
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain("no-such-package");
    rmSync(broken, { recursive: true, force: true });
  });
});
