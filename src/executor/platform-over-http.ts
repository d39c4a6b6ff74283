/** The platform as a running handler reaches it: requests to the edge, with the invocation's capability as bearer. */
import { isErrorCode, type ErrorCode, type ErrorData } from "../core/errors.ts";
import { contextOf } from "../core/trace.ts";
import type { InvocationMeta } from "../model/invocation.ts";
import type { ArtifactContent, Failed, Platform } from "./platform.ts";

/** How long one request waits for an execution. Seconds. */
const WAIT_SECONDS = 60;

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
type Asking = { method?: string; headers?: Record<string, string>; body?: Body };
/** Makes a body of known length, where the runtime can. */
type Sizer = new (size: number) => { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };
/** What can be sent a request: a service binding, or fetch of any runtime bound to an address. */
export type Edge = { fetch(url: string, init: Asking): Promise<Response> };

export function platformOverHttp(edge: Edge): Platform {
  const ask = (path: string, init: Asking, meta: InvocationMeta) =>
    edge.fetch(`http://edge${path}`, {
      ...init,
      headers: {
        ...init.headers,
        authorization: `Bearer ${meta.capability}`,
        ...contextOf(meta),
        "caller-execution": meta.execution_id,
        "caller-operation": meta.operation,
      },
    });
  return {
    async call({ name, input, options: { idempotency_key: key, delay_ms: delayMs } }, meta) {
      const query = delayMs === undefined ? "" : `?delay_ms=${delayMs}`;
      const headers = {
        "content-type": "application/json",
        ...(key === undefined ? {} : { "idempotency-key": quoted(key) }),
      };
      const response = await ask(
        `/ops/${encodeURIComponent(name)}${query}`,
        { method: "POST", headers, body: input },
        meta,
      );
      const failed = await failureOf(response, `call "${name}"`);
      if (failed !== undefined) return failed;
      // The status alone decides: an operation's data may look like anything.
      if (response.status !== 202) return { ok: true, output: await response.text() };
      const { execution_id: accepted } = JSON.parse(await response.text()) as { execution_id: string };
      return { ok: true, accepted };
    },

    async output(id, meta) {
      const headers = { prefer: `wait=${WAIT_SECONDS}` };
      const response = await ask(`/executions/${encodeURIComponent(id)}/output`, { headers }, meta);
      const failed = await failureOf(response, `wait for "${id}"`);
      return failed ?? { ok: true, output: await response.text() };
    },

    async cancel(id, meta) {
      const response = await ask(`/executions/${encodeURIComponent(id)}/cancel`, { method: "POST" }, meta);
      const failed = await failureOf(response, `cancel "${id}"`);
      if (failed === undefined) await response.body?.cancel();
      return failed ?? { ok: true };
    },

    async putArtifact(content, meta) {
      const query = new URLSearchParams();
      if (content.name !== undefined) query.set("name", content.name);
      if (content.content_type !== undefined) query.set("content_type", content.content_type);
      const path = `/executions/${encodeURIComponent(meta.execution_id)}/artifacts?${query.toString()}`;
      const { body, sent } = bodyOf(content);
      const response = await ask(path, { method: "POST", body }, meta);
      const failed = await failureOf(response, "put an artifact");
      if (failed !== undefined) return failed;
      await sent;
      return { ok: true, artifact: await response.text() };
    },

    async getArtifact(id, meta) {
      const response = await ask(`/artifacts/${encodeURIComponent(id)}`, {}, meta);
      const failed = await failureOf(response, `get the artifact "${id}"`);
      if (failed !== undefined) return failed;
      const length = response.headers.get("content-length");
      return {
        ok: true,
        content_type: response.headers.get("content-type") ?? "application/octet-stream",
        size_bytes: length === null ? null : Number(length),
        body: response.body ?? new Blob([]).stream(),
      };
    },

    async sendLogs(batch, meta) {
      const body = JSON.stringify({ attempt: meta.attempt, ...batch });
      const headers = { "content-type": "application/json" };
      const path = `/executions/${encodeURIComponent(meta.execution_id)}/logs`;
      const response = await ask(path, { method: "POST", headers, body }, meta);
      await response.body?.cancel();
    },
  };
}

/** A string of RFC 8941, which may hold what a bare key may not. */
function quoted(key: string): string {
  return `"${key.replace(/["\\]/g, "\\$&")}"`;
}

/** With a length where it is known, so that the request has one. */
function bodyOf({ body, size_bytes: size }: ArtifactContent): { body: Body; sent?: Promise<void> } {
  if (body instanceof Uint8Array || size === undefined) return { body };
  const { FixedLengthStream: Sized } = globalThis as unknown as { FixedLengthStream?: Sizer };
  if (Sized === undefined) return { body };
  const { readable, writable } = new Sized(size);
  const sent = body.pipeTo(writable);
  // Where the edge refuses, the answer says why; that the rest could not be sent is no news then.
  sent.catch(() => undefined);
  return { body: readable, sent };
}

async function failureOf(response: Response, doing: string): Promise<Failed | undefined> {
  if (response.ok) return undefined;
  return { ok: false, error: errorOf(await response.text(), doing, response.status) };
}

function errorOf(text: string, doing: string, status: number): ErrorData {
  try {
    const problem = JSON.parse(text) as Partial<ErrorData> | null;
    if (isErrorCode(problem?.code)) {
      return {
        code: problem.code,
        detail: String(problem.detail),
        ...(problem.hint === undefined ? {} : { hint: problem.hint }),
        ...(problem.errors === undefined ? {} : { errors: problem.errors }),
        ...(typeof problem.after_ms === "number" ? { after_ms: problem.after_ms } : {}),
      };
    }
  } catch {
    // Not a problem answer: said below.
  }
  const code: ErrorCode = "internal";
  return { code, detail: `Cannot ${doing}: the platform must answer with a problem; it is status ${status}` };
}
