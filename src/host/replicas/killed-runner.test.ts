/** A runner that is killed: what it had started ends with it, or when the next one starts. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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

/** Another process that is a runner, with one operation that never ends. */
async function aRunnerAtWork(kill: readonly string[][] = []): Promise<{ runner: ChildProcess; program: number }> {
  const code = `
    const { runProgram } = await import(${JSON.stringify(path.resolve("src/host/work/_program.node.ts"))});
    const { openJournal } = await import(${JSON.stringify(path.resolve("src/host/work/journal.node.ts"))});
    await runProgram({
      what: 'the operation "forever"',
      file: "/bin/sh",
      args: ["-c", "echo $$ >&2; exec sleep 60"],
      cwd: (await import("node:fs")).mkdtempSync(${JSON.stringify(path.join(state, "..", "switchyard-run-"))}),
      env: {},
      input: "",
      timeoutMs: 60000,
      kill: ${JSON.stringify(kill)},
      journal: openJournal(${JSON.stringify(state)}, console.error),
      log: (level, message) => console.log(message),
    });
  `;
  const runner = spawn(process.execPath, ["--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(runner.stdout, "data")) as [Buffer];
  return { runner, program: Number(said.toString()) };
}

describe.skipIf(process.platform !== "linux")("a runner that is killed", () => {
  test("leaves no operation at work that the next one does not end", async () => {
    const { runner, program } = await aRunnerAtWork();
    runner.kill("SIGKILL");
    await once(runner, "exit");
    expect(lives(program)).toBe(true);
    const { lines } = someReplicas({ stateFolder: state });
    expect(lives(program)).toBe(false);
    expect(lines).toEqual(['the operation "forever" of a runner that is gone was ended']);
    expect(readdirSync(state)).toEqual([]);
  });

  test("has what its engine could not be told ended by a later one", async () => {
    const engine = path.join(state, "..", `${path.basename(state)}-engine`);
    const script = `[ -e ${engine} ] || { echo "Cannot connect to the Docker daemon at unix:///x" >&2; exit 1; }`;
    const { runner } = await aRunnerAtWork([["sh", "-c", script]]);
    runner.kill("SIGKILL");
    await once(runner, "exit");
    const found = () => someReplicas({ stateFolder: state }).lines;
    const what = 'the operation "forever" of a runner that is gone';
    expect(found()).toEqual([`${what} cannot be ended yet: its engine does not answer`]);
    writeFileSync(engine, "");
    expect(found()).toEqual([`${what} was ended`]);
    expect(found()).toEqual([]);
    rmSync(engine);
  });

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
