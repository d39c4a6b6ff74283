/**
 * Source of the isolate's module `switchyard-context.js`: what the code gets as ctx. Parts are made when they are asked
 * for: most handlers touch none of them.
 */
export const CONTEXT_MODULE = String.raw`
import { artifactsOf, callOf } from "./switchyard-platform.js";

const { parse } = JSON;
const { freeze, assign } = Object;
const { AbortController, Error } = globalThis;

class Context {
  #metaText; #meta; #log; #secrets; #platform; #controller; #call; #artifacts; #execution; #aborted;

  constructor(metaText, log, secrets, platform) {
    this.#metaText = metaText;
    this.#log = log;
    this.#secrets = secrets;
    this.#platform = platform;
  }

  static metaOf(ctx) {
    return (ctx.#meta ??= parse(ctx.#metaText));
  }

  static abort(ctx, error) {
    if (ctx.#aborted !== undefined) return;
    ctx.#aborted = error;
    ctx.#controller?.abort(error);
  }

  static async heedCancel(ctx) {
    try {
      if (await ctx.#platform.cancelled()) abort(ctx, assign(new Error("the execution was cancelled"), { code: "execution_cancelled" }));
    } catch {
      // The invocation is over, and with it the way to hear of anything.
    }
  }

  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
      else heedCancel(this);
    }
    return this.#controller.signal;
  }

  get log() {
    return this.#log.api;
  }

  get secrets() {
    return this.#secrets;
  }

  get execution() {
    if (this.#execution === undefined) {
      const { execution_id, attempt, operation, revision, caller, traceparent } = metaOf(this);
      this.#execution = freeze({ id: execution_id, attempt, operation, revision, caller: freeze(caller), traceparent });
    }
    return this.#execution;
  }

  // A function of its own, so that it can be taken off: const { call } = ctx.
  get call() {
    return (this.#call ??= callOf(this.#platform));
  }

  get artifacts() {
    return (this.#artifacts ??= artifactsOf(this.#platform));
  }
}
export const { metaOf, abort } = Context;
const { heedCancel } = Context;
delete Context.metaOf;
delete Context.abort;
delete Context.heedCancel;
freeze(Context);
freeze(Context.prototype);

export const createContext = (metaText, log, secrets, platform) => new Context(metaText, log, secrets, platform);
`;
