/**
 * The platform seen from an isolate: one object per invocation, passed to it as an argument and dead when the invocation
 * ends. The capability stays on this side, so no code can send it anywhere. Whoever calls shares its memory with the
 * operation's code, so nothing that comes in is taken on trust.
 */
import type { ErrorCode, ErrorData } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { InvocationMeta } from "../model/invocation.ts";
import { isLog } from "../model/frame.ts";
import type { InvocationLife } from "./invocation-life.ts";
import type { ArtifactContent, CallOptions, Failed, GetAnswer, OutputAnswer, Platform } from "./platform.ts";

/** A pause after an answer that came sooner than it was to come, or not at all. Grows to the second. Milliseconds. */
const PAUSE_MS = { first: 50, most: 2_000 };
/** For so long, result() waits for a platform that does not answer. */
const UNREACHABLE_MS = 30_000;
const TEXT_CHARS = 1_024;
/** Printable ASCII, as the header's value must be. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]+$/;

/** The class over any other: workerd passes only what is an RpcTarget, elsewhere nothing is needed. */
export function answersOver(Base: abstract new () => object) {
  return class PlatformAnswers extends Base {
    readonly #meta: InvocationMeta;
    readonly #platform: Platform;
    readonly #life: InvocationLife;
    #calls = 0;
    #logged = 0;
    /** Executions that this invocation has started. */
    #started: Set<string> | undefined;

    constructor(meta: InvocationMeta, platform: Platform, life: InvocationLife) {
      super();
      this.#meta = meta;
      this.#platform = platform;
      this.#life = life;
    }

    /** The answer as one JSON text: `{ok, value}`, `{ok, accepted}` (an execution's id) or `{ok, error}`. */
    async call(name: unknown, input: unknown, optionsText: unknown): Promise<string> {
      const options = readOptions(optionsText);
      if (typeof name !== "string" || typeof input !== "string" || options === undefined) {
        return JSON.stringify(
          refuse(
            "bad_request",
            `Cannot call an operation: ctx.call takes a name, a JSON value and {idempotency_key: 1 to ${LIMITS.idempotencyKeyChars} printable ASCII characters, delay_ms: a whole number}; it is something else`,
          ),
        );
      }
      this.#calls += 1;
      if (this.#calls > LIMITS.callsPerInvocation) {
        return JSON.stringify(
          refuse(
            "call_limit_exceeded",
            `Cannot call "${name}": one invocation may make ${LIMITS.callsPerInvocation} calls; it is call ${this.#calls}`,
          ),
        );
      }
      const answer = await orUnreachable(`call "${name}"`, this.#platform.call({ name, input, options }, this.#meta));
      if (answer.ok && "accepted" in answer) (this.#started ??= new Set()).add(answer.accepted);
      return answer.ok && "output" in answer ? successText(answer.output) : JSON.stringify(answer);
    }

    /** Waits for an execution that call() has started, however long it takes; the answer as call() gives it. */
    async result(id: unknown): Promise<string> {
      if (!this.#hasStarted(id)) return JSON.stringify(notStarted(id));
      let lastAnswerAt = Date.now();
      for (let pauseMs: number = PAUSE_MS.first; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most)) {
        const askedAt = Date.now();
        const answer: OutputAnswer = await orUnreachable(`wait for "${id}"`, this.#platform.output(id, this.#meta));
        if (answer.ok) return successText(answer.output);
        const unfinished = answer.error.code === "execution_unfinished";
        const unreachable = answer.error.code === "state_unavailable" || answer.error.code === UNREACHABLE;
        if (unfinished) lastAnswerAt = Date.now();
        if (!unfinished && (!unreachable || Date.now() - lastAnswerAt > UNREACHABLE_MS)) return JSON.stringify(answer);
        if (this.#life.isOver) return JSON.stringify(answer);
        if (Date.now() - askedAt > PAUSE_MS.most) pauseMs = PAUSE_MS.first;
        await new Promise((resolve) => void setTimeout(resolve, pauseMs));
      }
    }

    async cancel(id: unknown): Promise<string> {
      if (!this.#hasStarted(id)) return JSON.stringify(notStarted(id));
      const answer = await orUnreachable(`cancel "${id}"`, this.#platform.cancel(id, this.#meta));
      return answer.ok ? successText("null") : JSON.stringify(answer);
    }

    /** As call(), with `{artifact_id, sha256, size_bytes}` as the value. `size` is undefined where it is not known. */
    async put(body: unknown, size: unknown, name: unknown, contentType: unknown): Promise<string> {
      const isBytes = body instanceof Uint8Array;
      if (
        !(isBytes || body instanceof ReadableStream) ||
        !(size === undefined || (Number.isSafeInteger(size) && (size as number) >= 0)) ||
        !isShortText(name) ||
        !isShortText(contentType)
      ) {
        return JSON.stringify(
          refuse(
            "bad_request",
            `Cannot put an artifact: name and content_type must be texts of at most ${TEXT_CHARS} characters; they are something else`,
          ),
        );
      }
      const content = {
        body: body as ArtifactContent["body"],
        size_bytes: isBytes ? body.byteLength : (size as number | undefined),
        name,
        content_type: contentType,
      };
      const answer = await orUnreachable("put an artifact", this.#platform.putArtifact(content, this.#meta));
      return answer.ok ? successText(answer.artifact) : JSON.stringify(answer);
    }

    async get(artifactId: unknown): Promise<GetAnswer> {
      if (typeof artifactId !== "string" || artifactId === "") {
        return refuse("bad_request", "Cannot get an artifact: its id must be a text; it is something else");
      }
      return orUnreachable(`get the artifact "${artifactId}"`, this.#platform.getArtifact(artifactId, this.#meta));
    }

    /** Log lines before the end, in order. They come back with the result too, so what fails here is no loss. */
    async log(first: unknown, linesText: unknown): Promise<void> {
      if (typeof linesText !== "string" || first !== this.#logged) return;
      try {
        const lines: unknown = JSON.parse(linesText);
        if (!isLog(lines) || this.#logged + lines.length > LIMITS.logLines + 1) return;
        this.#logged += lines.length;
        await this.#platform.sendLogs({ first, lines }, this.#meta);
      } catch {
        // See above.
      }
    }

    /** Answers true when nobody wants the result any more. */
    cancelled(): Promise<boolean> {
      return this.#life.whenCancelled();
    }

    /** A handler waits for what it has started and for nothing else. */
    #hasStarted(id: unknown): id is string {
      return this.#started?.has(id as string) === true;
    }
  };
}

const UNREACHABLE: ErrorCode = "internal";

async function orUnreachable<Answer extends { ok: boolean }>(
  doing: string,
  asking: Promise<Answer>,
): Promise<Answer | Failed> {
  try {
    return await asking;
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return refuse(UNREACHABLE, `Cannot ${doing}: the platform did not answer; it is ${reason}`);
  }
}

function readOptions(text: unknown): CallOptions | undefined {
  if (text === undefined) return {};
  if (typeof text !== "string") return undefined;
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof given !== "object" || given === null) return undefined;
  const { idempotency_key: key, delay_ms: delayMs, ...unknown } = given as Record<string, unknown>;
  if (Object.keys(unknown).length > 0) return undefined;
  const options: CallOptions = {};
  if (key !== undefined) {
    if (typeof key !== "string" || key.length > LIMITS.idempotencyKeyChars || !IDEMPOTENCY_KEY.test(key))
      return undefined;
    options.idempotency_key = key;
  }
  if (delayMs !== undefined) {
    if (typeof delayMs !== "number" || !Number.isSafeInteger(delayMs) || delayMs < 0) return undefined;
    options.delay_ms = delayMs;
  }
  return options;
}

function isShortText(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === "string" && value.length <= TEXT_CHARS);
}

function successText(value: string): string {
  return `{"ok":true,"value":${value}}`;
}

function notStarted(id: unknown): Failed {
  return refuse(
    "bad_request",
    `Cannot ask for "${String(id)}": the invocation must have started the execution; it has not`,
  );
}

function refuse(code: ErrorData["code"], detail: string): Failed {
  return { ok: false, error: { code, detail } };
}
