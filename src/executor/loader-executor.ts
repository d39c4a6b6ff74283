/**
 * Runs code in isolates of this process, through the Worker Loader. On Cloudflare it is the executor; self-hosted it is
 * what an executor process is made of (executor-process.ts).
 */
import { type ErrorCode, toErrorData, toSwitchyardError } from "../core/errors.ts";
import type {
  Executor,
  InvocationMeta,
  InvocationResult,
  IsolateDefinition,
  IsolateSpec,
  RunOptions,
} from "../model/invocation.ts";
import { joinFrame, parseResult } from "../model/frame.ts";
import type { GateProps } from "./gate.ts";
import { workerCode } from "./isolate/modules.ts";
import { InvocationLife } from "./invocation-life.ts";
import type { Platform } from "./platform.ts";
import { PlatformCalls } from "./platform-calls.ts";
import { callId } from "./protocol.ts";
import { cancelled, unlessCancelled } from "./_cancellation.ts";

export type LoaderPorts = {
  loader: WorkerLoader;
  /** `ctx.exports.Gate` of a script that exports the class of gate.ts. */
  gate(options: { props: GateProps }): Fetcher;
  platform: Platform;
};

type IsolateEntrypoint = {
  run(timeoutMs: number, meta: string, input: string, platform: PlatformCalls): Promise<string>;
};

export class LoaderExecutor implements Executor {
  readonly #ports: LoaderPorts;
  /** By isolate. The loader never asks again for an id whose load failed, so what comes after goes by another id. */
  readonly #failedLoads = new Map<string, { count: number; reason: unknown; mended: boolean }>();

  /** By call id. */
  readonly #running = new Map<string, InvocationLife>();

  constructor(ports: LoaderPorts) {
    this.#ports = ports;
  }

  async run(
    isolate: IsolateSpec,
    input: string,
    meta: InvocationMeta,
    { cancellation }: RunOptions = {},
  ): Promise<InvocationResult> {
    if (cancellation === undefined) return this.#result(isolate, input, meta);
    if (cancellation.requested) return cancelled(meta);
    const tell = () => this.cancel(callId(meta));
    return unlessCancelled(this.#result(isolate, input, meta), { cancellation, meta, tell });
  }

  /** Lets the handler of a call know that nobody wants its result any more. */
  cancel(id: string): void {
    this.#running.get(id)?.cancel();
  }

  async #result(isolate: IsolateSpec, input: string, meta: InvocationMeta): Promise<InvocationResult> {
    try {
      return parseResult(await this.runFrame(isolate, input, meta));
    } catch (thrown) {
      return { ok: false, error: toErrorData(toSwitchyardError(thrown)), retry: { kind: "may" }, logs: [] };
    }
  }

  /** As run(), with the answer as a frame (frame.ts). Rejects only with what `isolate.load()` rejected with. */
  async runFrame(isolate: IsolateSpec, input: string, meta: InvocationMeta): Promise<string> {
    const before = this.#failedLoads.get(isolate.id);
    const failedBefore = before?.count ?? 0;
    // Past the loader until it works again: each failure there would cost an id.
    const mended = before?.mended === false ? await isolate.load() : undefined;
    if (before !== undefined) before.mended = true;
    const runningId = callId(meta);
    const life = new InvocationLife();
    this.#running.set(runningId, life);
    try {
      const id = failedBefore === 0 ? isolate.id : `${isolate.id}~${failedBefore}`;
      const stub = this.#ports.loader.get(id, async () => {
        try {
          return this.#codeOf(mended ?? (await isolate.load()), isolate.operation);
        } catch (reason) {
          this.#failedLoads.set(isolate.id, { count: failedBefore + 1, reason, mended: false });
          throw reason;
        }
      });
      const entrypoint = stub.getEntrypoint() as unknown as IsolateEntrypoint;
      const { capability: _, ...visible } = meta;
      // No timer here: the isolate has its own, which its code can only lose together with itself; and behind a process
      // the edge has another. A second one here would cost every call.
      return await entrypoint.run(
        meta.timeout_ms,
        JSON.stringify(visible),
        input,
        new PlatformCalls(meta, this.#ports.platform, life),
      );
    } catch (thrown) {
      // Also where another call loaded it and this one only waited.
      const failed = this.#failedLoads.get(isolate.id);
      if (failed !== undefined && failed.count > failedBefore) throw failed.reason;
      return frameOfBreakdown(thrown, meta);
    } finally {
      life.end();
      if (this.#running.get(runningId) === life) this.#running.delete(runningId);
    }
  }

  #codeOf(definition: IsolateDefinition, operation: string): WorkerLoaderWorkerCode {
    const { network: hosts } = definition;
    // Leaving globalOutbound out would give the code our own network; null is no network.
    return workerCode(definition, hosts.length === 0 ? null : this.#ports.gate({ props: { operation, hosts } }));
  }
}

/** The isolate itself broke: its source does not parse, or the runtime stopped it. */
function frameOfBreakdown(thrown: unknown, meta: InvocationMeta): string {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  if (/never generate a response|exceeded (its )?CPU/i.test(reason)) return timeoutFrame(meta);
  if (/Failed to start|No such module|SyntaxError/.test(reason)) {
    return failureFrame("module_invalid", `Cannot start "${meta.operation}": its module must load; it is ${reason}`);
  }
  return failureFrame(
    "executor_lost",
    `Cannot finish "${meta.operation}": its isolate must live until the end; it is gone: ${reason}`,
  );
}

function timeoutFrame(meta: InvocationMeta): string {
  return failureFrame(
    "timeout",
    `Cannot finish "${meta.operation}": it may run for ${meta.timeout_ms} ms; it is still running`,
  );
}

export function failureFrame(code: ErrorCode, detail: string): string {
  return joinFrame({ ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] }, "");
}
