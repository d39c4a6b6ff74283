/** A real pool in workerd, a stub host, and a proxy that can stop passing bytes: what tests of the runner's door share. */
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import type { Cancellation } from "../../src/core/cancellation.ts";
import {
  openRunnerDoor,
  type RunnerDoor,
  type RunnerDoorOptions,
  type RunnerHost,
} from "../../src/host/runner-door.node.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import type { PoolOrder, PoolStatus } from "../../src/model/runner-protocol.ts";
import type { PoolReport } from "../../src/model/services.ts";

export const TOKEN = "sy_test_token";
export const ENVIRONMENT = "rack-1";

export type Pools = { url: string; port: number; restart(): Promise<void>; close(): Promise<void> };

export async function startPools(): Promise<Pools> {
  const built = await build({
    entryPoints: [path.resolve("test/workerd/runner-edge.ts")],
    bundle: true,
    write: false,
    format: "esm",
    external: ["cloudflare:workers"],
  });
  const script = built.outputFiles[0]?.text ?? "";
  const port = await freePort();
  const launch = async (): Promise<Miniflare> => {
    const edge = new Miniflare({
      workers: [
        {
          name: "pools",
          modules: [{ type: "ESModule", path: "worker.js", contents: script }],
          compatibilityDate: "2026-07-01",
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
          durableObjects: {
            RUNNERS: { className: "RunnerPool", useSQLite: true },
            SERVICES: { className: "ServiceNotes", useSQLite: true },
          },
        },
      ],
    });
    await edge.ready;
    return edge;
  };
  let edge = await launch();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async restart() {
      await edge.dispose();
      edge = await launch();
    },
    close: () => edge.dispose(),
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function order(id: string, more: Partial<PoolOrder> = {}): PoolOrder {
  return {
    id,
    execution: `ex_${id}`,
    attempt: 1,
    item: null,
    runnable: "module",
    isolate: "i",
    requires: {},
    capabilities: {},
    order: id,
    timeout_ms: 30_000,
    wait_ms: 5_000,
    hold: true,
    max_queued: 1_000,
    resume_ms: 3_000,
    ...more,
  };
}

export async function run(pools: { url: string }, wanted: PoolOrder): Promise<string | Outcome> {
  const response = await fetch(`${pools.url}/runners/${ENVIRONMENT}/run`, {
    method: "POST",
    body: JSON.stringify(wanted),
  });
  return (await response.json()) as string | Outcome;
}

export async function cancel(pools: { url: string }, id: string): Promise<void> {
  await fetch(`${pools.url}/runners/${ENVIRONMENT}/cancel`, { method: "POST", body: id });
}

export async function status(pools: { url: string }): Promise<PoolStatus> {
  return (await (await fetch(`${pools.url}/runners/${ENVIRONMENT}/status`)).json()) as PoolStatus;
}

/** What a service was told by the pool. */
export async function toldTo(pools: { url: string }, service: string): Promise<PoolReport[]> {
  const response = await fetch(`${pools.url}/runners/${ENVIRONMENT}/told`, { method: "POST", body: service });
  return (await response.json()) as PoolReport[];
}

export async function until(what: string, look: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  for (const giveUpAt = Date.now() + ms; !(await look()); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (Date.now() > giveUpAt) throw new Error(`it never came to be: ${what}`);
  }
}

/** Answers what it is told to when it is told to. */
export class StubHost {
  readonly started: string[] = [];
  readonly cancelled: string[] = [];
  most = 0;
  #inFlight = 0;
  readonly #holds = new Map<string, () => void>();
  readonly #isHeld: (order: string) => boolean;

  constructor(isHeld: (order: string) => boolean = () => false) {
    this.#isHeld = isHeld;
  }

  async run(text: string, options?: { cancellation?: Cancellation }): Promise<string> {
    this.started.push(text.slice(0, 100));
    this.#inFlight += 1;
    this.most = Math.max(this.most, this.#inFlight);
    try {
      if (this.#isHeld(text)) {
        await new Promise<void>((resolve) => {
          this.#holds.set(text, resolve);
          options?.cancellation?.onRequest(() => {
            this.cancelled.push(text);
            resolve();
          });
        });
      }
      return `{"ok":true,"logs":[]}\n${JSON.stringify(text)}`;
    } finally {
      this.#inFlight -= 1;
    }
  }

  release(text: string): void {
    this.#holds.get(text)?.();
  }
}

export function reply(text: string): string {
  return `{"ok":true,"logs":[]}\n${JSON.stringify(text)}`;
}

export function openDoor(
  url: string,
  host: RunnerHost,
  more: Partial<RunnerDoorOptions> = {},
): { door: RunnerDoor; lines: string[]; ended: Promise<unknown> } {
  const lines: string[] = [];
  const door = openRunnerDoor({
    url,
    token: TOKEN,
    environment: ENVIRONMENT,
    version: "1",
    name: "a",
    slots: 2,
    capabilities: {},
    runs: ["module"],
    host,
    log: (line) => lines.push(line),
    backoffMs: { first: 50, most: 500 },
    ...more,
  });
  // Looked at by some tests only.
  const ended = door.ended.then(
    () => undefined,
    (error: unknown) => error,
  );
  return { door, lines, ended };
}

/** Passes bytes until it is told to hold them (nothing closes) or to break (everything does). */
export async function startProxy(
  port: number,
): Promise<{ url: string; hold(on: boolean): void; late(on: boolean): void; cut(): void; close(): void }> {
  let holds = false;
  let isLate = false;
  const lateOnes: (() => void)[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((from) => {
    const to = net.connect(port, "127.0.0.1");
    let answers = 0;
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(one);
      one.on("data", (chunk) => {
        // What is held is lost, as on a network that was cut: the pair never speaks again.
        if (holds || one.destroyed) return;
        if (one === to) answers += 1;
        // The first answer is that of the handshake.
        if (isLate && one === to && answers > 1) lateOnes.push(() => other.write(chunk));
        else other.write(chunk);
      });
      one.on("error", () => undefined);
      one.on("close", () => {
        sockets.delete(one);
        if (!holds) other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    hold: (on) => {
      holds = on;
    },
    /** What the platform says after the handshake arrives when this is over. */
    late: (on) => {
      isLate = on;
      if (!on) for (const pass of lateOnes.splice(0)) pass();
    },
    cut,
    close: () => {
      server.close();
      cut();
    },
  };
}
