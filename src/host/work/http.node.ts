/** Asks a service on the runner's own network: the input is the body, the output that of the answer. Redirects are refused: they lead past the allow-list. */
import { LIMITS } from "../../core/limits.ts";
import { contextOf } from "../../core/trace.ts";
import type { HttpImplementation } from "../../model/implementations.ts";
import type { InvocationMeta, InvocationResult } from "../../model/invocation.ts";
import { cancelled, failed, readOutput, timedOut, type WorkOptions, type WorkOrder } from "./_work.ts";

export async function runHttp(
  work: HttpImplementation,
  { meta, input }: WorkOrder,
  options: WorkOptions,
): Promise<InvocationResult> {
  const stop = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stop.abort();
  }, meta.timeout_ms);
  const forget = options.cancellation?.onRequest(() => stop.abort());
  if (options.cancellation?.requested === true) stop.abort();
  let began = false;
  try {
    const response = await fetch(work.url, {
      method: work.method,
      body: input,
      redirect: "manual",
      signal: stop.signal,
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        ...contextOf(meta),
        "execution-id": meta.execution_id,
      },
    });
    began = true;
    const body = await readBounded(response);
    if (body === undefined) {
      const rule = `it must be at most ${LIMITS.jsonBytes} bytes; it is more`;
      return failed("output_too_large", `Cannot take the output of "${meta.operation}": ${rule}`, { retry: "never" });
    }
    return response.ok ? readOutput(body, meta.operation, []) : refusal(response, body, meta, work.url);
  } catch (thrown) {
    if (late) return timedOut(meta);
    if (options.cancellation?.requested === true) return cancelled(meta);
    return broken(thrown, meta, { url: work.url, began });
  } finally {
    clearTimeout(timer);
    forget?.();
    stop.abort();
  }
}

async function readBounded(response: Response): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > LIMITS.jsonBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function refusal(response: Response, body: Uint8Array, meta: InvocationMeta, url: string): InvocationResult {
  const { status } = response;
  const words = new TextDecoder().decode(body.subarray(0, 500)).trim();
  const detail = `Cannot run "${meta.operation}" at ${url}: the service must answer 2xx; it answers ${status}${words === "" ? "" : ` and says ${words}`}`;
  if (status === 404 || status === 405 || (status >= 300 && status < 400)) {
    return failed("environment_misconfigured", detail);
  }
  if (status === 401 || status === 403) return failed("environment_refused", detail);
  if (status === 429 || status === 503) {
    const result = failed("environment_throttled", detail);
    const afterS = Number(response.headers.get("retry-after") ?? "");
    return afterS > 0 && !result.ok ? { ...result, retry: { kind: "after", after_ms: afterS * 1000 } } : result;
  }
  return failed("implementation_failed", detail, { retry: status >= 500 || status === 408 ? "may" : "never" });
}

/** A connection that was never made has run nothing; one that was lost may have. */
function broken(thrown: unknown, meta: InvocationMeta, { url, began }: { url: string; began: boolean }) {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const said = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const never = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code);
  // fetch has ports that it never asks: those of mail, X11 and others.
  if (said === "bad port") {
    return failed("environment_misconfigured", `Cannot reach ${url} for "${meta.operation}": fetch refuses its port`);
  }
  return never && !began
    ? failed("environment_unavailable", `Cannot reach ${url} for "${meta.operation}": it must answer; ${said || code}`)
    : failed("executor_lost", `Cannot finish "${meta.operation}" at ${url}: its answer must arrive whole; ${said}`);
}
