/** A runner that is killed: what it had started ends with it, or when the next one starts. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { lives, someReplicas } from "./_server.test-help.node.ts";

const state = mkdtempSync(path.join(tmpdir(), "switchyard-state-"));
afterAll(() => rmSync(state, { recursive: true, force: true }));

/** Another process that is a runner, with one replica that has a child. */
async function aRunner(): Promise<{ runner: ChildProcess; server: number; child: number; folder: string }> {
  const help = path.resolve("src/host/replicas/_server.test-help.node.ts");
  const code = `
    const { anOrder, someReplicas } = await import(${JSON.stringify(help)});
    const { replicas } = someReplicas({ stateFolder: ${JSON.stringify(state)} });
    const report = await replicas.start(anOrder("a", ["--child"]));
    const work = { do: "request", replica: "a", method: "GET", path: "/x", headers: {} };
    const answer = await replicas.request({ work, body: "", timeoutMs: 5000 });
    const env = await replicas.request({ work: { ...work, path: "/env" }, body: "", timeoutMs: 5000 });
    const child = report.lines.find((line) => line.startsWith("child")).slice(6);
    const server = JSON.parse(answer.output.split("\\n")[0]).headers["x-pid"];
    console.log([server, child, JSON.parse(env.output.split("\\n")[1]).cwd].join(" "));
  `;
  const runner = spawn(process.execPath, ["--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(runner.stdout, "data")) as [Buffer];
  const [server = "", child = "", folder = ""] = said.toString().trim().split(" ");
  return { runner, server: Number(server), child: Number(child), folder };
}

describe.skipIf(process.platform !== "linux")("a runner that is killed", () => {
  test("leaves nothing that the next one does not end", async () => {
    const { runner, server, child, folder } = await aRunner();
    expect([lives(server), lives(child)]).toEqual([true, true]);
    runner.kill("SIGKILL");
    await once(runner, "exit");
    const { lines } = someReplicas({ stateFolder: state });
    expect([lives(server), lives(child)]).toEqual([false, false]);
    expect(lines).toEqual(['the replica a of "shop" of a runner that is gone was ended']);
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(state)).toEqual([]);
  });

  test("one that lives keeps what it has when another starts beside it", async () => {
    const { runner, server } = await aRunner();
    const { lines } = someReplicas({ stateFolder: state });
    expect(lives(server)).toBe(true);
    expect(lines).toEqual([]);
    runner.kill("SIGKILL");
    await once(runner, "exit");
    someReplicas({ stateFolder: state });
    expect(lives(server)).toBe(false);
  });
});
