/** A place behind HTTP on loopback that behaves as it is told; how it speaks is a dialect's. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { contextOf, type TraceContext } from "../../../src/core/trace.ts";
import { joinFrame, splitFrame } from "../../../src/model/frame.ts";
import { NEED_REPLY, type HostOrder } from "../../../src/model/host-protocol.ts";
import type { Behaviour, Place } from "./contract.ts";

export type Asked = { request: IncomingMessage; body: string };
export type Answer = { status: number; headers?: Record<string, string>; body: string };
/** What the implementation came to. */
export type Came = { output: string } | { detail: string; retry: "may" | "never" };

export type Dialect = {
  /** The input and the trace; undefined: the place first asks for something (see `before`). */
  read(asked: Asked): { input: string; trace: TraceContext };
  /** An answer that comes before anything runs: a host that needs the definition, say. */
  before?(asked: Asked): Answer | undefined;
  write(came: Came): Answer;
  throttled: Answer;
  refused: Answer;
  missing: Answer;
};

export type LoopbackPlace = Pick<Place, "behave" | "runs" | "trace" | "stopped" | "close"> & { url: string };

export async function openLoopbackPlace(dialect: Dialect): Promise<LoopbackPlace> {
  let behaviour: Behaviour = { kind: "echo" };
  let runs = 0;
  let stopped = false;
  let trace: TraceContext | undefined;
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => answer({ request, body: Buffer.concat(pieces).toString() }, response));
  });
  const answer = (asked: Asked, response: ServerResponse): void => {
    const send = ({ status, headers, body }: Answer) =>
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
    if (behaviour.kind === "refuses_credentials") return void send(dialect.refused);
    if (behaviour.kind === "missing") return void send(dialect.missing);
    if (behaviour.kind === "throttles" && behaviour.times-- > 0) return void send(dialect.throttled);
    const before = dialect.before?.(asked);
    if (before !== undefined) return void send(before);
    runs += 1;
    const read = dialect.read(asked);
    ({ trace } = read);
    switch (behaviour.kind) {
      case "value":
      case "answers_twice": {
        const { value } = behaviour;
        send(dialect.write({ output: JSON.stringify(value) }));
        // A second answer on the same connection, for nothing that was asked.
        if (behaviour.kind === "answers_twice") response.socket?.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n9");
        return;
      }
      case "fails":
        return void send(dialect.write({ detail: behaviour.detail, retry: behaviour.retry }));
      case "hangs":
        return void response.once("close", () => (stopped = true));
      case "breaks_off":
        return void response.destroy();
      case "echo":
      case "throttles":
      case "unreachable":
        return void send(dialect.write({ output: read.input }));
    }
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behave(next) {
      behaviour = next;
      runs = 0;
      if (next.kind !== "unreachable") return;
      server.closeAllConnections();
      server.close();
    },
    runs: () => runs,
    trace: () => trace,
    stopped: () => stopped,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** How our host speaks, in frames; `wrap` puts a frame into what carries it. */
export function hostDialect(
  carried: { order(asked: Asked): string; wrap(reply: string): Answer },
  refusals: Pick<Dialect, "throttled" | "refused" | "missing">,
): Dialect {
  let defined = false;
  const orderOf = (asked: Asked): [HostOrder, string] => {
    const [head, input] = splitFrame(carried.order(asked));
    return [JSON.parse(head) as HostOrder, input];
  };
  return {
    ...refusals,
    before(asked) {
      const [{ definition }] = orderOf(asked);
      defined ||= definition !== undefined;
      return defined ? undefined : carried.wrap(NEED_REPLY);
    },
    read(asked) {
      const [{ meta }, input] = orderOf(asked);
      return { input, trace: contextOf(meta) };
    },
    write(came) {
      if ("output" in came) return carried.wrap(joinFrame({ ok: true, logs: [] }, came.output));
      const error = { code: "implementation_failed", detail: came.detail };
      return carried.wrap(joinFrame({ ok: false, error, retry: { kind: came.retry }, logs: [] }, ""));
    },
  };
}

/** The trace in a request's headers, as a service of the team's reads it. */
export function traceIn({ headers }: IncomingMessage): TraceContext {
  const { traceparent, tracestate } = headers as Partial<Record<string, string>>;
  return { traceparent: traceparent ?? "none", ...(tracestate === undefined ? {} : { tracestate }) };
}
