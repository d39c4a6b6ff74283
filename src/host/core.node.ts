/**
 * The portable host: runs orders (host-protocol.ts) in child processes of this machine. One call at a time in each
 * process; the capability stays on this side, and the child asks for what it needs.
 */
import type { Cancellation } from "../core/cancellation.ts";
import type { ErrorCode } from "../core/errors.ts";
import { toSwitchyardError } from "../core/errors.ts";
import { InvocationLife } from "../executor/invocation-life.ts";
import { answersOver } from "../executor/platform-answers.ts";
import { platformOverHttp } from "../executor/platform-over-http.ts";
import { joinFrame, parseResult, splitFrame } from "../model/frame.ts";
import { HOST_PROTOCOL, type HostOrder, NEED_REPLY } from "../model/host-protocol.ts";
import type { InvocationResult, IsolateDefinition } from "../model/invocation.ts";
import { Child } from "./_child.node.ts";
import { type Allow, forbidden } from "./allow.ts";
import { locateProgram } from "./work/locate-program.node.ts";
import { runExternalWork } from "./work/run-work.node.ts";

/** After its time-out a child that has not answered is killed; after a cancellation it has a little longer. */
const KILL_AFTER_MS = 100;
const CANCEL_GRACE_MS = 500;
/** So long a process waits for the next call of its isolate. */
const IDLE_MS = 60_000;
const MOST_DEFINITIONS = 64;

export type Host = {
  /** Runs one order, answers a reply: both frames. Never rejects. */
  run(order: string, options?: { cancellation?: Cancellation }): Promise<string>;
  /** Ends all processes it started. */
  close(): Promise<void>;
};

export type HostOptions = {
  /** Node does not confine the code. */
  runtime: "deno" | "node";
  allow: Allow;
  /** Calls at once that it is meant for; bounds the processes kept warm. */
  slots: number;
  /** In place of the order's own: a runner knows its own way to the platform. */
  platformUrl?: string;
  /** A reply that is longer, written as a JSON string, goes to the platform as an artifact. */
  maxReplyBytes?: number;
  log: (line: string) => void;
};

const PlatformAnswers = answersOver(Object);
type Calls = Record<string, (...args: unknown[]) => Promise<unknown>>;
const ASKED: ReadonlySet<unknown> = new Set(["call", "result", "cancel", "log"]);

export function createHost(options: HostOptions): Host {
  const definitions = new Map<string, IsolateDefinition>();
  const idle: { isolate: string; child: Child }[] = [];
  const children = new Set<Child>();
  let calls = 0;

  const take = (isolate: string, definition: IsolateDefinition): Child => {
    const at = idle.findIndex((each) => each.isolate === isolate);
    const [warm] = at === -1 ? [] : idle.splice(at, 1);
    warm?.child.keep();
    if (warm !== undefined && !warm.child.isGone) return warm.child;
    const child = new Child(options.runtime, definition);
    children.add(child);
    return child;
  };
  const giveBack = (isolate: string, child: Child) => {
    child.onFrame = () => child.kill();
    child.onGone = () => void children.delete(child);
    if (child.isGone) return void children.delete(child);
    idle.push({ isolate, child });
    child.endAfter(IDLE_MS);
    if (idle.length > 2 * options.slots) idle.shift()?.child.kill();
  };

  const runModule = async (order: HostOrder, input: string, cancellation?: Cancellation): Promise<InvocationResult> => {
    const { meta, isolate } = order;
    const definition = definitions.get(isolate);
    if (definition === undefined) throw new Error("the definition is missing");
    const life = new InvocationLife();
    const call = ++calls;
    const child = take(isolate, definition);
    const { promise, resolve } = Promise.withResolvers<InvocationResult>();
    const answers = new PlatformAnswers(
      meta,
      platformAt(options.platformUrl ?? order.platform_url),
      life,
    ) as unknown as Calls;
    let ending = failed(
      "executor_lost",
      `Cannot finish "${meta.operation}": its process must live until the end; it is gone`,
    );
    child.onGone = (why) => {
      children.delete(child);
      if (!ending.ok && ending.error.code === "executor_lost") ending.error.detail += `: ${why}`;
      resolve(ending);
    };
    child.onFrame = (head, body) => {
      if (head.t === "end" && head.call === call) return resolve(parseResult(body));
      if (head.t !== "ask" || head.call !== call || !ASKED.has(head.method)) return;
      const asking = answers[head.method ?? ""]?.(...(head.args ?? []).map((each) => each ?? undefined));
      void asking?.then((text) => child.send({ t: "answer", id: head.id }, typeof text === "string" ? text : ""));
    };
    const killWith = (end: InvocationResult, afterMs: number) =>
      setTimeout(() => {
        ending = end;
        child.kill();
      }, afterMs);
    const late = failed(
      "timeout",
      `Cannot finish "${meta.operation}": it may run for ${meta.timeout_ms} ms; it is still running`,
    );
    const timers = [killWith(late, meta.timeout_ms + KILL_AFTER_MS)];
    const gone = cancelledAnswer(meta.operation);
    const forget = cancellation?.onRequest(() => {
      child.send({ t: "cancel" }, "");
      timers.push(killWith(gone, CANCEL_GRACE_MS));
    });
    const { capability: _, ...visible } = meta;
    child.send({ t: "run", call, timeout_ms: meta.timeout_ms, meta: JSON.stringify(visible) }, input);
    const end = await promise;
    for (const timer of timers) clearTimeout(timer);
    forget?.();
    life.end();
    // What timed out or was cancelled may go on running in there.
    const isClean = end.ok || (end.error.code !== "timeout" && cancellation?.requested !== true);
    if (isClean) giveBack(isolate, child);
    else child.kill();
    return cancellation?.requested === true ? { ...gone, logs: end.logs } : end;
  };

  const run = async (frame: string, cancellation?: Cancellation): Promise<string> => {
    const [head, input] = splitFrame(frame);
    const order = JSON.parse(head) as HostOrder;
    const { work, meta } = order;
    if (order.protocol !== HOST_PROTOCOL) {
      return replyOf(
        failed(
          "host_outdated",
          `Cannot run "${meta.operation}": host and platform must speak the same protocol; the host speaks ${HOST_PROTOCOL}, the order is ${order.protocol}`,
        ),
      );
    }
    const reason = forbidden(options.allow, work, locateProgram);
    if (reason !== undefined)
      return replyOf(failed("environment_forbids", `Cannot run "${meta.operation}" here: ${reason}`));
    const more = cancellation === undefined ? {} : { cancellation };
    if (work.kind !== "module") {
      const log = (level: string, message: string) => options.log(`${level} ${meta.operation}: ${message}`);
      return replyOf(await runExternalWork(work, { meta, input }, { ...more, log }));
    }
    if (work.language === "python" || order.input_artifact !== undefined || order.code_artifact !== undefined) {
      const what = work.language === "python" ? "Python modules" : "inputs or code carried as artifacts";
      return replyOf(
        failed("not_supported", `Cannot run "${meta.operation}": this host must know ${what}; it does not yet`),
      );
    }
    if (order.definition !== undefined) definitions.set(order.isolate, order.definition);
    if (!definitions.has(order.isolate)) return NEED_REPLY;
    const [oldest] = definitions.keys();
    if (definitions.size > MOST_DEFINITIONS && oldest !== undefined) definitions.delete(oldest);
    if (cancellation?.requested === true) return replyOf(cancelledAnswer(meta.operation));
    return replyOf(await runModule(order, input, cancellation));
  };

  return {
    async run(order, { cancellation } = {}) {
      try {
        return await run(order, cancellation);
      } catch (thrown) {
        const error = toSwitchyardError(thrown);
        return replyOf(failed(error.code === "internal" ? "executor_lost" : error.code, error.message));
      }
    },
    async close() {
      for (const child of children) child.kill();
    },
  };
}

function platformAt(base: string | null) {
  return platformOverHttp({
    async fetch(url, init) {
      if (base === null) {
        const detail = "Cannot reach the platform from here: its public address must be set; it is not";
        return Response.json(
          { code: "not_supported", detail, hint: "set PUBLIC_URL (opctl dev --public-url)" },
          { status: 501 },
        );
      }
      return fetch(url.replace("http://edge", base), { ...init, duplex: "half" });
    },
  });
}

function failed(code: ErrorCode, detail: string): InvocationResult {
  return { ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] };
}

function cancelledAnswer(operation: string): InvocationResult {
  return failed("execution_cancelled", `Cannot finish "${operation}": somebody must want the result; nobody does`);
}

function replyOf(result: InvocationResult): string {
  if (!result.ok) return joinFrame(result, "");
  return joinFrame({ ok: true, logs: result.logs }, result.output);
}
