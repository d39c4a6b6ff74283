/** Orders for replicas as a host is asked them: what its allow-list says is asked before anything is started. */
import { afterEach, expect, test } from "vitest";
import { joinFrame, parseResult } from "../../model/frame.ts";
import { HOST_PROTOCOL, type ReplicaWork } from "../../model/host-protocol.ts";
import { parseAllow } from "../allow.ts";
import { createHost } from "../core.node.ts";
import { anOrder as metaOf } from "../work/_order.test-help.node.ts";
import { anOrder, someReplicas } from "./_server.test-help.node.ts";
import type { Replicas } from "./replicas.node.ts";

const open: Replicas[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((replicas) => replicas.close(0)));
});

async function ask(allow: string, work: ReplicaWork, replicas?: Replicas) {
  const kept = replicas === undefined ? {} : { replicas };
  const host = createHost({ runtime: "node", allow: parseAllow([allow]), slots: 1, log: () => undefined, ...kept });
  const { meta } = metaOf("");
  const head = { protocol: HOST_PROTOCOL, isolate: "", work: { kind: "replica", ...work }, meta, platform_url: null };
  const result = parseResult(await host.run(joinFrame(head, "")));
  await host.close();
  return result;
}

function some(): Replicas {
  const { replicas } = someReplicas();
  open.push(replicas);
  return replicas;
}

test.each([
  [`process:${process.execPath}`, true],
  ["process:/opt/other", false],
  ["container:*", false],
])("with --allow %s a service of that program is started: %s", async (allow, started) => {
  const replicas = some();
  const result = await ask(allow, anOrder("a"), replicas);
  if (started) expect(result).toMatchObject({ ok: true, output: expect.stringContaining('"ready"') as string });
  else expect(result).toMatchObject({ ok: false, error: { code: "environment_forbids" } });
  expect(replicas.reports()).toHaveLength(started ? 1 : 0);
});

test.each([
  ["process:/opt/there/*", "/opt/other/x", "environment_forbids", undefined],
  ["process:./nowhere", "./nowhere", "environment_misconfigured", /to \.\/nowhere on .*seen from the folder/],
  ["process:/opt/nowhere", "/opt/nowhere", "environment_misconfigured", /to \/opt\/nowhere on the runner's machine\.$/],
])("with --allow %s a service of the missing program %s is %s", async (allow, program, code, hint) => {
  const order = anOrder("a", [], { run: { process: { command: [program], working_directory: null } } });
  const result = await ask(allow, order, some());
  const expected = hint === undefined ? { code } : { code, hint: expect.stringMatching(hint) as string };
  expect(result).toMatchObject({ ok: false, error: expected });
});

test("a host that keeps no replicas refuses them", async () => {
  const result = await ask("process:*", { do: "observe", service: null });
  expect(result).toMatchObject({ ok: false, error: { code: "environment_forbids" } });
});

test("a look tells of one service, or of all; a stop of none is done", async () => {
  const replicas = some();
  await replicas.start(anOrder("a"));
  await replicas.start({ ...anOrder("b"), service: "paint" });
  const look = async (service: string | null) => {
    const result = await ask("process:*", { do: "observe", service }, replicas);
    return (JSON.parse(result.ok ? result.output : "[]") as { replica: string }[]).map(({ replica }) => replica);
  };
  expect([await look("paint"), await look(null)]).toEqual([["b"], ["a", "b"]]);
  const stopped = await ask("process:*", { do: "stop", replica: "none", grace_ms: 0 }, replicas);
  expect(stopped).toMatchObject({ ok: true, output: "null" });
});
