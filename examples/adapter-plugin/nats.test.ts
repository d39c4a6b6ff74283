/** The plugin against a real nats-server (Debian's package): the contract of adapters, and the platform that loads it. */
import type { TraceContext } from "../../src/core/trace.ts";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { describe } from "vitest";
import { describeAdapterContract, type Behaviour } from "../../test/contracts/adapter/contract.ts";
import { connectTcp, fakePorts } from "../../test/contracts/adapter/fake-ports.ts";
import { environmentOf } from "../../src/model/_environment.test-util.ts";
import { NatsConnection } from "./src/nats-connection.ts";
import natsAdapter from "./src/nats.ts";
import { freePort } from "../../test/e2e/_platform.ts";

const SUBJECT = "work";
const USER = { user: "switchyard", pass: "the-password" };
const isInstalled = spawnSync("nats-server", ["--version"]).error === undefined;
if (!isInstalled) {
  const text = "nats-server is not installed: the adapter plugin is not tested (apt-get install nats-server)";
  if (process.env["CI"] !== undefined) throw new Error(text);
  console.warn(`SKIPPED: ${text}`);
}

async function setUp() {
  const port = await freePort();
  const server = spawn(
    "nats-server",
    ["-a", "127.0.0.1", "-p", String(port), "--user", USER.user, "--pass", USER.pass],
    {
      stdio: "ignore",
    },
  );
  let runs = 0;
  let trace: TraceContext | undefined;
  let behaviour: Behaviour = { kind: "echo" };
  const secrets = { user: USER.user, password: USER.pass };
  let subject = `/${SUBJECT}`;
  const service = await connected(port);
  await service.subscribe(SUBJECT);
  const serve = async (): Promise<void> => {
    for (;;) {
      const { replyTo = "", payload, headers } = await service.next();
      if (behaviour.kind === "throttles" && behaviour.times-- > 0) {
        await service.publish(replyTo, { headers: failure("429", "no room"), payload: "" });
        continue;
      }
      runs += 1;
      const tracestate = headers.get("tracestate");
      trace = {
        traceparent: headers.get("traceparent") ?? "none",
        ...(tracestate === undefined ? {} : { tracestate }),
      };
      await answer(replyTo, payload);
    }
  };
  const answer = async (replyTo: string, payload: string): Promise<void> => {
    switch (behaviour.kind) {
      case "value":
        return service.publish(replyTo, { payload: JSON.stringify(behaviour.value) });
      case "answers_twice":
        await service.publish(replyTo, { payload: JSON.stringify(behaviour.value) });
        return service.publish(replyTo, { payload: "9" });
      case "fails": {
        const code = behaviour.retry === "never" ? "400" : "500";
        return service.publish(replyTo, { headers: failure(code, behaviour.detail), payload: "" });
      }
      case "hangs":
        return;
      case "breaks_off":
        server.kill("SIGKILL");
        return;
      case "echo":
      case "throttles":
      case "refuses_credentials":
      case "unreachable":
      case "missing":
        return service.publish(replyTo, { payload });
    }
  };
  serve().catch(() => undefined);
  return {
    adapter: natsAdapter(fakePorts()),
    environment: environmentOf("nats-1", {
      config: { hostname: "127.0.0.1", port, network: "private" },
      openSecrets: async () => secrets,
    }),
    get implementation() {
      return { kind: "http", url: subject, method: "POST" } as const;
    },
    secrets: [USER.pass],
    behave(next: Behaviour) {
      behaviour = next;
      runs = 0;
      if (next.kind === "refuses_credentials") secrets.password = "another";
      if (next.kind === "missing") subject = "/nobody.listens";
      if (next.kind === "unreachable") server.kill("SIGKILL");
    },
    runs: () => runs,
    trace: () => trace,
    stopped: () => false,
    maxBytes: 1024 * 1024,
    async close() {
      await service.close();
      await ended(server);
    },
  };
}

const failure = (code: string, text: string) => ({ "Nats-Service-Error": text, "Nats-Service-Error-Code": code });

async function connected(port: number): Promise<NatsConnection> {
  for (let tries = 0; ; tries++) {
    const tcp = connectTcp({ hostname: "127.0.0.1", port });
    try {
      await tcp.opened;
      const connection = new NatsConnection(tcp);
      await connection.open(USER);
      return connection;
    } catch (error) {
      await tcp.close();
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGKILL");
  await exit;
}

describe.skipIf(!isInstalled)("examples/adapter-plugin", () => {
  describeAdapterContract("nats, a plugin", setUp, { stop: "NATS cannot take a request back" });
});
