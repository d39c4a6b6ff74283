/**
 * The one HTTP client of opctl. An answer that says no becomes a SwitchyardError with the platform's own code, so
 * that exit codes and printing need not know HTTP.
 */
import { isErrorCode, SwitchyardError, type ErrorCode, type Issue } from "../src/core/errors.ts";
import type { Credentials } from "./credentials.ts";

export type Answer = { status: number; headers: Headers; text: string };
export type RequestOptions = {
  /** JSON text, or bytes. */
  body?: string | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  /** Stop waiting after this many milliseconds. Not set: as long as the platform takes. */
  timeoutMs?: number | undefined;
  /** Statuses beside 2xx that are an answer and no refusal. */
  acceptStatus?: readonly number[];
  /** Stops it; the signal's own reason is thrown. */
  signal?: AbortSignal | undefined;
};

export type Client = {
  readonly credentials: Credentials;
  /** A line for whoever waits, such as that the platform is lost for now. */
  tell(text: string): void;
  request(method: string, route: string, options?: RequestOptions): Promise<Answer>;
  /** The answer with its body still to be read: for what is large, or has no end yet. */
  open(method: string, route: string, options?: RequestOptions): Promise<Response>;
};

/** A request that the platform refused. */
export type RefusedRequest = { client: Client; route: string; body: RequestOptions["body"] | undefined };

const refused = new WeakMap<SwitchyardError, RefusedRequest>();

/** undefined: the error is of something else. */
export function refusedRequest(error: SwitchyardError): RefusedRequest | undefined {
  return refused.get(error);
}

export function createClient(credentials: Credentials, tell: (text: string) => void = () => undefined): Client {
  const { url, token } = credentials;
  /** `read` is part of the request: a connection that breaks in the middle of the body is one that broke. */
  async function send<T>(
    method: string,
    route: string,
    options: RequestOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}`, ...options.headers };
    if (typeof options.body === "string") headers["content-type"] ??= "application/json";
    const signals = options.timeoutMs === undefined ? [] : [AbortSignal.timeout(options.timeoutMs)];
    if (options.signal !== undefined) signals.push(options.signal);
    const signal = signals.length === 0 ? null : AbortSignal.any(signals);
    try {
      const response = await fetch(url + route, {
        method,
        headers,
        body: options.body ?? null,
        redirect: "manual",
        signal,
      });
      if (response.ok || options.acceptStatus?.includes(response.status) === true) return await read(response);
      const problem = problemOf(await toAnswer(response), `${method} ${route}`);
      refused.set(problem, { client, route, body: options.body });
      throw problem;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof SwitchyardError) throw error;
      throw unreachable(error, { url, method, timeoutMs: options.timeoutMs });
    }
  }
  const client: Client = {
    credentials,
    tell,
    request: (method, route, options = {}) => send(method, route, options, toAnswer),
    open: (method, route, options = {}) => send(method, route, options, async (response) => response),
  };
  return client;
}

async function toAnswer(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Codes of a connection that was there: what was sent may have come through. */
const LOST: ReadonlySet<string> = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]);

function unreachable(
  error: unknown,
  { url, method, timeoutMs }: { url: string; method: string; timeoutMs: number | undefined },
): SwitchyardError {
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new SwitchyardError(
      "timeout",
      `Cannot wait any longer: --timeout was ${timeoutMs} ms; the platform is still working on it`,
      { hint: "Give a longer --timeout. What runs already goes on to its end." },
    );
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? ("code" in cause ? String(cause.code) : cause.message) : String(cause);
  if (method !== "GET" && LOST.has(reason)) {
    return new SwitchyardError(
      "platform_unreachable",
      `Cannot tell what became of the request to the platform at ${url}: the connection must last until it is answered; it was lost in the middle: ${reason}`,
      {
        hint: "What was asked for may have been done: look before you ask again. `opctl get executions` has the calls that were recorded.",
        cause: error,
      },
    );
  }
  return new SwitchyardError("platform_unreachable", `Cannot reach the platform at ${url}: ${reason}`, {
    hint: "Start one with `npm start` or `opctl dev`, or point SWITCHYARD_URL at a running one.",
    cause: error,
  });
}

/** The error that a refusal carries. A code that this opctl does not know (a newer platform) falls back on the status. */
function problemOf(answer: Answer, what: string): SwitchyardError {
  const problem = parseObject(answer.text);
  if (problem === undefined || typeof problem["detail"] !== "string") {
    const start = answer.text.trim().slice(0, 120).replaceAll(/\s+/g, " ");
    return new SwitchyardError(
      "unexpected_answer",
      `Cannot read the answer to ${what}: it must be a problem document (RFC 9457); it is ${answer.status} ${start === "" ? "with no body" : start}`,
    );
  }
  const code = isErrorCode(problem["code"]) ? problem["code"] : codeOfStatus(answer.status);
  const unknown = code === problem["code"] ? "" : ` [${JSON.stringify(problem["code"] ?? "no code")}]`;
  return new SwitchyardError(code, problem["detail"] + unknown, {
    ...(typeof problem["hint"] === "string" ? { hint: problem["hint"] } : {}),
    ...(Array.isArray(problem["errors"]) ? { errors: problem["errors"] as Issue[] } : {}),
  });
}

function codeOfStatus(status: number): ErrorCode {
  const byStatus: Record<number, ErrorCode> = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "route_not_found",
    409: "write_conflict",
    412: "precondition_failed",
    422: "definition_invalid",
    504: "timeout",
  };
  return byStatus[status] ?? "unexpected_answer";
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The JSON of a successful answer. */
export function parseAnswer(answer: Pick<Answer, "text">): unknown {
  try {
    return JSON.parse(answer.text);
  } catch (error) {
    throw new SwitchyardError(
      "unexpected_answer",
      `Cannot read the answer: it must be JSON; it begins ${JSON.stringify(answer.text.slice(0, 80))}`,
      { cause: error },
    );
  }
}
