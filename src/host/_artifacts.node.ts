/** What travels as artifacts of the platform: long parts of orders and replies, and what a handler puts and gets. */
import { toErrorData, toSwitchyardError, type ErrorData } from "../core/errors.ts";
import type { GetAnswer, Platform } from "../executor/platform.ts";
import { joinFrame } from "../model/frame.ts";
import type { HostOrder } from "../model/host-protocol.ts";
import type { InvocationMeta, InvocationResult } from "../model/invocation.ts";

/** What a child puts is collected here, so that it is sent with its length. */
const COLLECTED_BYTES = 64 * 1024 * 1024;
const OPEN_GETS = 64;

/** The order's input and definition with what was sent as artifacts. Throws environment_unavailable: nothing has run. */
export async function fetchParts(order: HostOrder, input: string, platform: Platform) {
  const { meta, definition, input_artifact: inputId, code_artifact: codeId } = order;
  const [text, code] = await Promise.all([textOf(inputId, meta, platform), textOf(codeId, meta, platform)]);
  return {
    input: text ?? input,
    definition: definition === undefined || code === undefined ? definition : { ...definition, code },
  };
}

/** The part that could not be fetched, as an outcome of a run that has not begun. */
export class PartMissing extends Error {}

async function textOf(id: string | undefined, meta: InvocationMeta, platform: Platform): Promise<string | undefined> {
  if (id === undefined) return undefined;
  const doing = `Cannot run "${meta.operation}": the host must fetch the artifact ${id}`;
  let answer: GetAnswer;
  try {
    answer = await platform.getArtifact(id, meta);
    if (answer.ok) return await new Response(answer.body).text();
  } catch (thrown) {
    throw new PartMissing(`${doing}; the platform did not answer: ${reasonOf(thrown)}`);
  }
  throw new PartMissing(`${doing}; ${answer.error.detail}`);
}

/** The reply, with its output stored as an artifact where `maxBytes` (of the reply as a JSON string) would be passed. */
export async function fitReply(
  result: InvocationResult,
  { meta, platform, maxBytes }: { meta: InvocationMeta; platform: Platform; maxBytes: number | undefined },
): Promise<string> {
  if (!result.ok) return joinFrame(result, "");
  const reply = joinFrame({ ok: true, logs: result.logs }, result.output);
  // In a JSON string a character of JSON text takes three bytes at most.
  if (maxBytes === undefined || reply.length * 3 <= maxBytes) return reply;
  if (Buffer.byteLength(JSON.stringify(reply)) <= maxBytes) return reply;
  const body = new TextEncoder().encode(result.output);
  const content = { body, size_bytes: body.byteLength, name: undefined, content_type: "application/json" };
  let error: ErrorData;
  try {
    const answer = await platform.putArtifact(content, meta);
    if (answer.ok) {
      const { artifact_id: id } = JSON.parse(answer.artifact) as { artifact_id: string };
      return joinFrame({ ok: true, logs: result.logs, output_artifact: id }, "");
    }
    error = answer.error;
  } catch (thrown) {
    error = toErrorData(toSwitchyardError(thrown));
  }
  const detail = `Cannot answer for "${meta.operation}": a reply of at most ${maxBytes} bytes can be carried, and a longer one is put as an artifact; ${error.detail}`;
  const code = error.code === "not_supported" ? "output_too_large" : "executor_lost";
  return joinFrame({ ok: false, error: { code, detail }, retry: { kind: "may" }, logs: result.logs }, "");
}

/** put() and get() of the object that the calls of one invocation reach the platform by. */
type Answers = Record<"put" | "get", (...args: unknown[]) => Promise<unknown>>;

/**
 * A child's artifacts, whose contents cross in pieces of base64: `put_piece [n]` … `put [n, size, name, content_type]`,
 * and `get [id]` then `get_piece [n]` until it is empty. What a child sends is not taken on trust.
 */
export class ChildArtifacts {
  readonly #answers: Answers;
  readonly #puts = new Map<unknown, Buffer[]>();
  readonly #gets = new Map<unknown, ReadableStreamDefaultReader<Uint8Array>>();
  #collected = 0;
  #opened = 0;

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  static readonly methods: ReadonlySet<unknown> = new Set(["put_piece", "put", "get", "get_piece", "get_end"]);

  async ask(method: unknown, [first, ...more]: readonly unknown[], piece: string): Promise<string> {
    if (method === "put_piece") return this.#take(first, piece);
    if (method === "put") return this.#put(first, more);
    if (method === "get") return this.#get(first);
    if (method === "get_piece") return this.#next(first);
    this.#forget(first);
    return "";
  }

  end(): void {
    for (const at of this.#gets.keys()) this.#forget(at);
    this.#puts.clear();
  }

  #take(at: unknown, piece: string): string {
    const bytes = Buffer.from(piece, "base64");
    if (this.#collected + bytes.length > COLLECTED_BYTES) {
      const detail = `Cannot put an artifact: on this host its content, with that of others being put, must be at most ${COLLECTED_BYTES} bytes; it is more`;
      this.#drop(at);
      return refusal({ code: "payload_too_large", detail });
    }
    this.#collected += bytes.length;
    const pieces = this.#puts.get(at) ?? [];
    pieces.push(bytes);
    this.#puts.set(at, pieces);
    return "";
  }

  async #put(at: unknown, [, name, contentType]: readonly unknown[]): Promise<string> {
    const bytes = new Uint8Array(Buffer.concat(this.#puts.get(at) ?? []));
    this.#drop(at);
    return String(await this.#answers.put(bytes, bytes.byteLength, name, contentType));
  }

  #drop(at: unknown): void {
    for (const piece of this.#puts.get(at) ?? []) this.#collected -= piece.length;
    this.#puts.delete(at);
  }

  async #get(id: unknown): Promise<string> {
    if (this.#gets.size >= OPEN_GETS) {
      const detail = `Cannot get the artifact: at most ${OPEN_GETS} may be open at once; those before must be read to their end`;
      return refusal({ code: "payload_too_large", detail });
    }
    const answer = (await this.#answers.get(id)) as GetAnswer;
    if (!answer.ok) return JSON.stringify(answer);
    const { body, ...head } = answer;
    const at = ++this.#opened;
    this.#gets.set(at, body.getReader());
    return JSON.stringify({ ...head, at });
  }

  /** Base64, "" at the end, or a refusal as JSON. */
  async #next(at: unknown): Promise<string> {
    try {
      for (;;) {
        const { value, done } = (await this.#gets.get(at)?.read()) ?? { value: undefined, done: true };
        if (done) break;
        if (value !== undefined && value.byteLength > 0) return Buffer.from(value).toString("base64");
      }
      this.#gets.delete(at);
      return "";
    } catch (thrown) {
      this.#gets.delete(at);
      const detail = `Cannot get the artifact: the platform must send all of it; it broke off: ${reasonOf(thrown)}`;
      return refusal({ code: "internal", detail });
    }
  }

  #forget(at: unknown): void {
    this.#gets
      .get(at)
      ?.cancel()
      .catch(() => undefined);
    this.#gets.delete(at);
  }
}

function refusal(error: ErrorData): string {
  return JSON.stringify({ ok: false, error });
}

function reasonOf(thrown: unknown): string {
  const { message, cause } = thrown as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
