/** A service in a real container, by runc, on a root file system of this machine's own Node. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { splitFrame } from "../../model/frame.ts";
import { containerEngine } from "../work/container.node.ts";
import { anOrder, someReplicas } from "./_server.test-help.node.ts";

const engine = await containerEngine();
if (engine !== "runc")
  console.warn(`SKIPPED: services in containers by runc: runc and root are needed; here is ${engine ?? "neither"}.`);

const SERVER = `
require("node:http").createServer((request, response) => response.end(JSON.stringify(process.env)))
  .listen(Number(process.env.PORT), process.env.HOST);
process.on("SIGTERM", () => process.exit(0));
console.log("up");
`;

describe.skipIf(engine !== "runc")("a service in a container of runc", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "switchyard-container-"));
  const bundle = path.join(folder, "bundle");

  beforeAll(() => {
    for (const each of ["proc", "dev", "sys", "tmp", "bin"])
      mkdirSync(path.join(bundle, "rootfs", each), { recursive: true });
    const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
    for (const file of libraries) {
      mkdirSync(path.dirname(path.join(bundle, "rootfs", file)), { recursive: true });
      copyFileSync(file, path.join(bundle, "rootfs", file));
    }
    copyFileSync(process.execPath, path.join(bundle, "rootfs/bin/node"));
    execFileSync("runc", ["spec", "-b", bundle]);
    const file = path.join(bundle, "config.json");
    const config = JSON.parse(readFileSync(file, "utf8")) as { linux: { resources?: unknown } };
    writeFileSync(file, JSON.stringify(config));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const order = (replica: string) =>
    anOrder(replica, [], {
      run: { container: { image: bundle, command: ["/bin/node", "--eval", SERVER] } },
      health: { ...anOrder("").spec.health, path: null, start_ms: 30_000 },
    });

  test("is started, asked and stopped, and leaves nothing behind", async () => {
    const { replicas } = someReplicas();
    const report = await replicas.start(order("a"));
    expect(report).toMatchObject({ status: "ready", ended: null, lines: ["up"] });
    const work = { do: "request", replica: "a", method: "GET", path: "/", headers: {} } as const;
    const answer = await replicas.request({ work, body: "", timeoutMs: 5_000 });
    const env = JSON.parse(splitFrame(answer.ok ? answer.output : "\n{}")[1]) as Record<string, string>;
    expect(env).toMatchObject({ SWITCHYARD_SERVICE: "shop", KEY: "sesame-open", HOST: "127.0.0.1" });
    expect(env["SWITCHYARD_RUN"]).toBeUndefined();
    await replicas.stop({ do: "stop", service: "shop", replica: "a", grace_ms: 5_000 });
    expect(execFileSync("runc", ["list", "-q"], { encoding: "utf8" })).not.toContain("switchyard-");
    await replicas.close();
  }, 60_000);

  test("says what keeps a bundle from being run", async () => {
    const { replicas } = someReplicas();
    const run = { container: { image: path.join(folder, "none"), command: null } };
    await expect(replicas.start({ ...order("a"), spec: { ...order("a").spec, run } })).rejects.toMatchObject({
      code: "environment_misconfigured",
    });
    await replicas.close();
  });
});
