/**
 * Sends one request to a replica. Node's own client with kept connections takes a third of the time of fetch. What it answers
 * is told as it is; a failure says whether the server can have seen the request.
 */
import http from "node:http";
import type { Cancellation } from "../../core/cancellation.ts";
import { LIMITS } from "../../core/limits.ts";
import { joinFrame } from "../../model/frame.ts";
import type { HttpAnswerHead, ReplicaWork } from "../../model/host-protocol.ts";
import type { InvocationResult } from "../../model/invocation.ts";
import { failed } from "../work/_work.ts";

export type Asked = {
  work: ReplicaWork & { do: "request" };
  target: { host: string; port: number };
  body: string;
  timeoutMs: number;
  cancellation?: Cancellation | undefined;
};

/** Shorter than servers keep connections that nobody uses: one that is about to close must not be taken for the next. */
const IDLE_MS = 1_500;
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** Before a connection is there. */
const NOT_SENT = /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EMFILE)$/;
const TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE"]);

export function createAgent(): http.Agent {
  return new http.Agent({ keepAlive: true, maxFreeSockets: 64, timeout: IDLE_MS });
}

/** The output is an HttpAnswer's frame. Never rejects. */
export async function ask(agent: http.Agent, asked: Asked): Promise<InvocationResult> {
  const first = await askOnce(agent, asked);
  if (first !== "stale") return first;
  // The server had closed the connection that was kept. That a repeatable request is sent again does no harm.
  const again = await askOnce(undefined, asked);
  return again === "stale" ? lost(asked, "its connection broke") : again;
}

function askOnce(agent: http.Agent | undefined, asked: Asked): Promise<InvocationResult | "stale"> {
  const { work, target, body, timeoutMs, cancellation } = asked;
  const { method, path, replica } = work;
  return new Promise((resolve) => {
    let request: http.ClientRequest;
    const end = (result: InvocationResult | "stale") => {
      clearTimeout(timer);
      forget?.();
      resolve(result);
    };
    const giveUp = (result: InvocationResult) => {
      end(result);
      request.destroy();
    };
    const late = `Cannot finish ${method} ${path} of ${replica}: it may take ${timeoutMs} ms; it took longer`;
    const timer = setTimeout(() => giveUp(failed("timeout", late)), timeoutMs);
    const gone = `Cannot finish ${method} ${path} of ${replica}: its answer must be wanted; it was cancelled`;
    const forget = cancellation?.onRequest(() => giveUp(failed("execution_cancelled", gone, { retry: "never" })));
    try {
      request = http.request({ ...target, method, path, agent: agent ?? false, headers: headersOf(asked) });
    } catch (thrown) {
      // A path or a header that HTTP does not have.
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      return end(
        failed("environment_misconfigured", `Cannot send ${method} ${path} to ${replica}: HTTP must allow it; ${why}`),
      );
    }
    request.on("response", (response) => readAnswer(response, asked, end));
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      end(lost(asked, "it goes on in another protocol"));
    });
    request.on("error", (error: Error & { code?: string }) => {
      const { code = "" } = error;
      if (NOT_SENT.test(code)) {
        const detail = `Cannot reach ${replica}: its port must take connections; ${error.message}`;
        return end(failed("environment_unavailable", detail));
      }
      end(request.reusedSocket && REPEATABLE.has(method) ? "stale" : lost(asked, error.message));
    });
    request.end(body === "" ? undefined : body);
  });
}

function headersOf({ work, body }: Asked): Record<string, string | number> {
  const headers: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(work.headers)) {
    const lower = name.toLowerCase();
    // A packed answer is no text.
    if (!HOP_BY_HOP.has(lower) && lower !== "accept-encoding") headers[lower] = value;
  }
  if (body !== "" || !["GET", "HEAD", "DELETE"].includes(work.method)) {
    headers["content-length"] = Buffer.byteLength(body);
  }
  return headers;
}

/** Events, not an iterator, which would take a tenth of the whole time of a request. */
function readAnswer(response: http.IncomingMessage, asked: Asked, end: (result: InvocationResult) => void): void {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  response.on("data", (chunk: Buffer) => {
    sizeBytes += chunk.length;
    chunks.push(chunk);
    if (sizeBytes <= LIMITS.jsonBytes) return;
    const rule = `it must be at most ${LIMITS.jsonBytes} bytes; it is more`;
    end(failed("output_too_large", `Cannot take the answer to ${nameOf(asked)}: ${rule}`, { retry: "never" }));
    response.destroy();
  });
  response.on("end", () => end(answerOf(response, chunks, asked)));
  response.on("error", (error) => end(lost(asked, error.message)));
  response.on("close", () => {
    if (!response.complete) end(lost(asked, "it broke off"));
  });
}

function answerOf(response: http.IncomingMessage, chunks: readonly Buffer[], asked: Asked): InvocationResult {
  const { statusCode: status = 0 } = response;
  const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  let body: string;
  try {
    body = TEXT.decode(bytes);
  } catch {
    // What is not text may still be a refusal, whose status says all.
    if (status < 300) {
      const rule = "it must be UTF-8; it is not";
      return failed("output_not_json", `Cannot read the answer to ${nameOf(asked)}: ${rule}`);
    }
    body = "";
  }
  const head: HttpAnswerHead = { status, headers: plainHeaders(response) };
  return { ok: true, output: joinFrame(head, body), logs: [] };
}

function nameOf({ work }: Asked): string {
  return `${work.method} ${work.path} of ${work.replica}`;
}

function plainHeaders({ headers }: http.IncomingMessage): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || HOP_BY_HOP.has(name)) continue;
    plain[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return plain;
}

function lost({ work }: Asked, why: string): InvocationResult {
  return failed(
    "executor_lost",
    `Cannot finish ${work.method} ${work.path} of ${work.replica}: its answer must arrive whole; ${why}`,
  );
}
