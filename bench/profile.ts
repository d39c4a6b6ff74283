/**
 * Where the edge's time goes: `node bench/profile.ts [inline|process] [call|complete|accept]` loads one operation and
 * prints the functions of the edge's isolate, the shards of executions among them, with the largest own time.
 * `complete`: asynchronous, waited for. `accept`: asynchronous, 202 at once.
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { startPlatform } from "../cli/dev/platform.ts";
import { buildModule } from "../cli/build/build-module.ts";
import { storeModule } from "../cli/build/store-module.ts";
import { createClient } from "../cli/client.ts";
import { runLoad } from "./_harness.ts";

const INSPECTOR = 9399;
const PORT = 8798;

type Profile = {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
};

const WORK = {
  call: { operation: "echo", connections: 16, headers: {}, status: 200 },
  complete: { operation: "echo_async", connections: 50, headers: { prefer: "wait=10" }, status: 200 },
  accept: { operation: "echo_async", connections: 50, headers: {}, status: 202 },
};

const executor = process.argv[2] === "process" ? "process" : "inline";
const work = Object.hasOwn(WORK, process.argv[3] ?? "") ? WORK[process.argv[3] as keyof typeof WORK] : WORK.call;
const state = mkdtempSync(path.join(os.tmpdir(), "sy-profile-"));
const platform = await startPlatform({ port: PORT, state, executor, inspectorPort: INSPECTOR, log: () => undefined });
try {
  await storeModule(createClient(platform), await buildModule("examples/echo.ts", "echo"), {
    module: "echo",
    operation: "echo",
  });
  const authorization = `Bearer ${platform.token}`;
  const duplicated = await fetch(`${platform.url}/registry/operations/echo/duplicate`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ name: "echo_async", is_async: true }),
  });
  if (!duplicated.ok) throw new Error(await duplicated.text());
  const plan = {
    port: PORT,
    requests: [
      { path: `/ops/${work.operation}`, headers: { authorization, ...work.headers }, body: '{"input_str":"hi"}' },
    ],
    connections: work.connections,
    seconds: 4,
    status: work.status,
  };
  await runLoad(plan);
  const targets = (await (await fetch(`http://127.0.0.1:${INSPECTOR}/json`)).json()) as {
    webSocketDebuggerUrl: string;
    title: string;
  }[];
  const socket = new WebSocket(
    targets.find((target) => target.title.includes("switchyard"))?.webSocketDebuggerUrl ??
      targets[0]!.webSocketDebuggerUrl,
  );
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  let nextId = 1;
  const send = (method: string, params: object = {}): Promise<unknown> => {
    const id = nextId++;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => {
      const listen = (event: MessageEvent): void => {
        const message = JSON.parse(String(event.data)) as { id?: number; result?: unknown };
        if (message.id !== id) return;
        socket.removeEventListener("message", listen);
        resolve(message.result);
      };
      socket.addEventListener("message", listen);
    });
  };
  await send("Profiler.enable");
  await send("Profiler.setSamplingInterval", { interval: 200 });
  await send("Profiler.start");
  console.log(await runLoad(plan));
  const { profile } = (await send("Profiler.stop")) as { profile: Profile };
  const names = new Map(
    profile.nodes.map(({ id, callFrame }) => [
      id,
      `${callFrame.functionName || "(anonymous)"} ${path.basename(callFrame.url)}:${callFrame.lineNumber}`,
    ]),
  );
  const own = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const name = names.get(id) ?? "?";
    own.set(name, (own.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  const total = [...own.values()].reduce((sum, time) => sum + time, 0);
  for (const [name, time] of [...own].toSorted((a, b) => b[1] - a[1]).slice(0, 40))
    console.log(`${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`);
  socket.close();
} finally {
  await platform.close();
  rmSync(state, { recursive: true, force: true });
}
