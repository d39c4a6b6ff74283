/**
 * The Durable Object of one environment's runners. Sockets hibernate: signs of life are answered by the runtime, so idle
 * runners wake nobody; what each has declared is attached to its socket.
 */
import { DurableObject, exports } from "cloudflare:workers";
import type { Outcome } from "../model/outcome.ts";
import {
  CLOSE,
  FromRunnerSchema,
  PING,
  PONG,
  RUNNER_PROTOCOL,
  RUNNER_SUBPROTOCOL,
  unpackParcels,
  type Declared,
  type FromRunner,
  type Parcel,
  type PoolOrder,
  type PoolStatus,
  type RunnerPoolPort,
} from "../model/runner-protocol.ts";
import { Pool, type Socket } from "./pool.ts";

/** Of services, as much as a pool needs. Tests without services have none. */
type Loopback = { ServiceRunner?: { reported(service: string, report: string): Promise<void> } };

/**
 * Names no extension that there is, so none is agreed on; without it the runtime takes what the client offers, and compresses. Orders
 * are small and many: the half of a millisecond that each would take on its way is worth more than the bytes.
 */
const UNCOMPRESSED = "none";

export class RunnerPool extends DurableObject implements RunnerPoolPort {
  readonly #pool: Pool;
  readonly #sockets = new WeakMap<WebSocket, Socket>();

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#pool = new Pool({
      environment: state.id.name ?? "",
      incarnation: crypto.randomUUID().slice(0, 13),
      now: () => Date.now(),
      later: (ms, callback) => {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
      tellService: async (service, report) => {
        await (exports as unknown as Loopback).ServiceRunner?.reported(service, JSON.stringify(report));
      },
    });
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    for (const socket of state.getWebSockets()) {
      const declared = socket.deserializeAttachment() as Declared | null;
      if (declared !== null) this.#pool.restore(this.#wrap(socket), declared);
    }
  }

  override fetch(): Response {
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.ctx.acceptWebSocket(ours);
    const headers = { "sec-websocket-protocol": RUNNER_SUBPROTOCOL, "sec-websocket-extensions": UNCOMPRESSED };
    return new Response(null, { status: 101, webSocket: theirs, headers });
  }

  run(order: PoolOrder): Promise<string | Outcome> {
    return this.#pool.run(order);
  }

  // oxlint-disable-next-line require-await -- a remote call answers a promise
  async cancel(id: string): Promise<void> {
    this.#pool.cancel(id);
  }

  // oxlint-disable-next-line require-await -- a remote call answers a promise
  async status(): Promise<PoolStatus> {
    return this.#pool.status();
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const from = this.#wrap(socket);
    let parcels: Parcel<FromRunner>[];
    try {
      if (typeof message !== "string") throw new TypeError("it is not text");
      parcels = unpackParcels<FromRunner>(message, FromRunnerSchema);
    } catch (error) {
      const other = typeof message === "string" ? otherProtocol(message) : undefined;
      const reason = other ?? `cannot read its message: ${error instanceof Error ? error.message : "it is no JSON"}`;
      from.close(other === undefined ? CLOSE.refused.code : CLOSE.outdated.code, reason.slice(0, 120));
      return;
    }
    for (const parcel of parcels) this.#pool.received(from, parcel);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#pool.closed(this.#wrap(socket));
    try {
      socket.close(code === 1005 || code === 1006 ? 1000 : code);
    } catch {
      // It is closed already.
    }
  }

  override webSocketError(socket: WebSocket): void {
    this.#pool.closed(this.#wrap(socket));
  }

  #wrap(socket: WebSocket): Socket {
    let wrapped = this.#sockets.get(socket);
    if (wrapped !== undefined) return wrapped;
    wrapped = {
      send: (text) => quietly(() => socket.send(text)),
      close: (code, reason) => {
        quietly(() => socket.close(code, reason));
      },
      attach: (declared) => socket.serializeAttachment(declared),
      beatAt: () => this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0,
    };
    this.#sockets.set(socket, wrapped);
    return wrapped;
  }
}

/** A socket that has just gone says so by webSocketClose; what was sent to it is lost either way. */
function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // See above.
  }
}

/** A hello of another protocol may look different in everything but this. */
function otherProtocol(message: string): string | undefined {
  const found = /^\[?\{"type":"hello","protocol":(\d{1,9})/.exec(message)?.[1];
  if (found === undefined || Number(found) === RUNNER_PROTOCOL) return undefined;
  return `host_outdated: protocol must be ${RUNNER_PROTOCOL}; it is ${found}: npm i -g switchyard@latest`;
}
