/**
 * `ctx.call` seen from the trusted side: one object per invocation, passed to the isolate as an argument and dead when
 * the invocation ends. The capability stays here, so no code can send it anywhere.
 */
import { RpcTarget } from "cloudflare:workers";
import type { ErrorData } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { InvocationMeta } from "../model/invocation.ts";

/** `output` is JSON text. */
export type CallAnswer = { ok: true; output: string } | { ok: false; error: ErrorData };

/** Runs an operation by name for an invocation, with the rights of `meta.capability`. */
export type CallOperation = (name: string, input: string, meta: InvocationMeta) => Promise<CallAnswer>;

export class PlatformCalls extends RpcTarget {
  readonly #meta: InvocationMeta;
  readonly #callOperation: CallOperation;
  #calls = 0;

  constructor(meta: InvocationMeta, callOperation: CallOperation) {
    super();
    this.#meta = meta;
    this.#callOperation = callOperation;
  }

  /** The answer as one JSON text: `{ok, value}` or `{ok, error}`. */
  async call(name: unknown, input: unknown): Promise<string> {
    const answer = await this.#answer(name, input);
    return answer.ok ? `{"ok":true,"value":${answer.output}}` : JSON.stringify(answer);
  }

  async #answer(name: unknown, input: unknown): Promise<CallAnswer> {
    if (typeof name !== "string" || typeof input !== "string") {
      return refuse(
        "bad_request",
        "Cannot call an operation: ctx.call takes a name and a JSON value; it is something else",
      );
    }
    this.#calls += 1;
    if (this.#calls > LIMITS.callsPerInvocation) {
      return refuse(
        "call_limit_exceeded",
        `Cannot call "${name}": one invocation may make ${LIMITS.callsPerInvocation} calls; it is call ${this.#calls}`,
      );
    }
    try {
      return await this.#callOperation(name, input, this.#meta);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      return refuse("internal", `Cannot call "${name}": the platform did not answer; it is ${reason}`);
    }
  }
}

function refuse(code: ErrorData["code"], detail: string): CallAnswer {
  return { ok: false, error: { code, detail } };
}
