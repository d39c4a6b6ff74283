/**
 * One HTTP request and its answer, read within bounds. It tells what dispatch must know of a failure: whether the whole
 * body has left. Workerd words a refused connection and one that broke later alike, so there the last byte of the body
 * goes by itself: while it has not been taken, the other side cannot have a whole order, and nothing has run.
 */
export type Send = (request: Request) => Promise<Response>;

export type Sending = {
  url: string;
  method: string;
  headers: Readonly<Record<string, string>>;
  body?: string;
  signal?: AbortSignal;
  /** The longest answer that is read. */
  maxAnswerBytes: number;
};

export type Answer = { kind: "answer"; status: number; headers: Headers; text: string };
export type Exchanged =
  | Answer
  /** It is certain that the other side has no whole request. */
  | { kind: "not_sent"; reason: string }
  | { kind: "broken_off"; reason: string }
  | { kind: "too_large" }
  | { kind: "not_text" };

/** Redirects are answers, never followed: what they lead to was not meant to have the credentials. Never throws. */
export async function exchange(send: Send, sending: Sending): Promise<Exchanged> {
  const { url, method, headers, body, signal } = sending;
  const sent = body === undefined ? undefined : bodyOf(body);
  let response: Response;
  try {
    response = await send(
      new Request(url, {
        method,
        headers,
        redirect: "manual",
        ...(sent === undefined ? {} : { body: sent.body }),
        ...(signal === undefined ? {} : { signal }),
      }),
    );
  } catch (thrown) {
    const { reason, beforeSending } = readFailure(thrown);
    return { kind: beforeSending || sent?.isWhole() === false ? "not_sent" : "broken_off", reason };
  }
  return await read(response, sending.maxAnswerBytes);
}

async function read(response: Response, maxBytes: number): Promise<Exchanged> {
  const { status, headers } = response;
  if (response.body === null) return { kind: "answer", status, headers, text: "" };
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let bytes = 0;
  for (;;) {
    let chunk: Uint8Array | undefined;
    try {
      const { value, done } = await reader.read();
      chunk = done ? undefined : value;
    } catch (thrown) {
      return { kind: "broken_off", reason: readFailure(thrown).reason };
    }
    bytes += chunk?.byteLength ?? 0;
    try {
      if (bytes > maxBytes) {
        await reader.cancel();
        return { kind: "too_large" };
      }
      text += decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      // What is not text may still be a refusal, whose status says all.
      if (status >= 300) return { kind: "answer", status, headers, text: "" };
      return { kind: "not_text" };
    }
    if (chunk === undefined) return { kind: "answer", status, headers, text };
  }
}

type SentBody = {
  body: string | ReadableStream;
  /** undefined: this runtime tells by its errors instead. */
  isWhole(): boolean | undefined;
};

/** Workerd's FixedLengthStream, whose types Node does not have. */
type FixedLengthClass = new (bytes: number) => {
  readable: ReadableStream;
  writable: WritableStream<Uint8Array>;
};
const FixedLength = (globalThis as { FixedLengthStream?: FixedLengthClass }).FixedLengthStream;

function bodyOf(text: string): SentBody {
  // Node has no such stream.
  if (FixedLength === undefined) return { body: text, isWhole: () => undefined };
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength === 0) return { body: text, isWhole: () => undefined };
  const { readable, writable } = new FixedLength(bytes.byteLength);
  let whole = false;
  void (async () => {
    try {
      const writer = writable.getWriter();
      if (bytes.byteLength > 1) await writer.write(bytes.subarray(0, -1));
      await writer.write(bytes.subarray(-1));
      whole = true;
      await writer.close();
    } catch {
      // The request has failed, and says so itself.
    }
  })();
  return { body: readable, isWhole: () => whole };
}

/** Node's and undici's codes of failures before a request has left. */
const BEFORE_SENDING =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.*|ERR_SSL_.*|CERT_.*|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*)$/;

function readFailure(thrown: unknown): { reason: string; beforeSending: boolean } {
  const { message, cause } = thrown instanceof Error ? thrown : { message: String(thrown), cause: undefined };
  const code: unknown = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  if (typeof code === "string") return { reason: code, beforeSending: BEFORE_SENDING.test(code) };
  // Of workerd: no such name, no TLS, an address that the network does not allow.
  if (message.startsWith("internal error")) {
    return { reason: "no connection could be made (name, TLS or a forbidden address)", beforeSending: true };
  }
  return { reason: message, beforeSending: false };
}
