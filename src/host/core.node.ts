/**
 * The portable host: runs orders (host-protocol.ts) in child processes of this machine. One call at a time in each
 * process; the capability stays on this side, and the child asks for what it needs.
 */
import { randomUUID } from "node:crypto";
import type { Cancellation } from "../core/cancellation.ts";
import type { ErrorCode } from "../core/errors.ts";
import { toSwitchyardError } from "../core/errors.ts";
import { redactLine, redactor } from "../core/redact.ts";
import { InvocationLife } from "../executor/invocation-life.ts";
import { answersOver } from "../executor/platform-answers.ts";
import type { Platform } from "../executor/platform.ts";
import { platformOverHttp } from "../executor/platform-over-http.ts";
import { joinFrame, parseResult, splitFrame } from "../model/frame.ts";
import { HOST_PROTOCOL, type HostOrder, NEED_REPLY } from "../model/host-protocol.ts";
import type { InvocationResult, IsolateDefinition } from "../model/invocation.ts";
import { ChildArtifacts, fetchParts, fitReply, PartMissing } from "./_artifacts.node.ts";
import type { Child } from "./_child.node.ts";
import { Children } from "./_children.node.ts";
import { Definitions } from "./_definitions.ts";
import { Slots } from "./_slots.ts";
import { type Allow, forbidden, missingProgram } from "./allow.ts";
import type { Replicas } from "./replicas/replicas.node.ts";
import { runReplicaWork } from "./replicas/run-replica-work.node.ts";
import type { Journal } from "./work/journal.node.ts";
import { locateProgram } from "./work/locate-program.node.ts";
import { runExternalWork } from "./work/run-work.node.ts";

/** After its time-out a child that has not answered is killed; after a cancellation it has a little longer. */
const KILL_AFTER_MS = 100;
const CANCEL_GRACE_MS = 500;

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
  /** Of services, on runners. They are closed by whoever made them. */
  replicas?: Replicas;
  /** Of programs and containers, on runners. */
  journal?: Journal | undefined;
  log: (line: string) => void;
};

type Failure = InvocationResult & { ok: false };

const PlatformAnswers = answersOver(Object);
type Calls = Record<string, (...args: unknown[]) => Promise<unknown>>;
const ASKED: ReadonlySet<unknown> = new Set(["call", "result", "cancel", "log"]);

export function createHost(options: HostOptions): Host {
  const definitions = new Definitions();
  const children = new Children(options.runtime, options.slots);
  const slots = new Slots(options.slots);
  if (options.allow.module) children.prepare("javascript");

  const runModule = async (
    order: HostOrder,
    definition: IsolateDefinition,
    { input, platform }: { input: string; platform: Platform },
    cancellation?: Cancellation,
  ): Promise<InvocationResult> => {
    const { meta, isolate } = order;
    const life = new InvocationLife();
    // Code that an earlier call left behind in the process cannot guess it, so it cannot answer for this one.
    const call = randomUUID();
    const child = children.take(isolate, definition);
    const { promise, resolve } = Promise.withResolvers<InvocationResult>();
    const answers = new PlatformAnswers(meta, platform, life) as unknown as Calls;
    const artifacts = new ChildArtifacts(answers as Record<"put" | "get", Calls[string]>);
    let ending: InvocationResult | undefined;
    // What it said last on its standard error is part of the answer.
    const redact = redactor(Object.values(definition.secrets));
    child.onGone = (why) => resolve(ending ?? lost(meta.operation, child.state, redact(why)));
    child.onFrame = (head, body) => {
      if (head.t === "end" && head.call === call) return resolve(parseResult(body));
      if (head.t !== "ask" || head.call !== call) return;
      const args = (head.args ?? []).map((each) => each ?? undefined);
      const isArtifact = ChildArtifacts.methods.has(head.method);
      if (!isArtifact && !ASKED.has(head.method)) return;
      const asking = isArtifact ? artifacts.ask(head.method, args, body) : answers[head.method ?? ""]?.(...args);
      void asking?.then((text) => child.send({ t: "answer", id: head.id }, typeof text === "string" ? text : ""));
    };
    const killWith = (end: Failure, afterMs: number) =>
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
    artifacts.end();
    // What timed out or was cancelled may go on running in there.
    const isClean = end.ok || (end.error.code !== "timeout" && cancellation?.requested !== true);
    if (isClean) children.giveBack(isolate, child);
    else child.kill();
    children.prepare(definition.language);
    return cancellation?.requested === true ? { ...gone, logs: end.logs } : end;
  };

  const run = async (frame: string, cancellation?: Cancellation): Promise<string> => {
    const [head, rest] = splitFrame(frame);
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
    if (reason !== undefined) {
      const detail = `Cannot run "${meta.operation}" here: ${reason}`;
      const program = missingProgram(options.allow, work, locateProgram);
      return replyOf(program === undefined ? failed("environment_forbids", detail) : missing(detail, program));
    }
    // Nothing of it travels as an artifact.
    if (work.kind === "replica") {
      return replyTo(await runReplicaWork(options.replicas, work, { meta, input: rest, cancellation }));
    }
    const more = cancellation === undefined ? {} : { cancellation };
    const platform = platformAt(options.platformUrl ?? order.platform_url);
    const { input, definition: given } = await fetchParts(order, rest, platform);
    const fitted = (result: InvocationResult) => fitReply(result, { meta, platform, maxBytes: options.maxReplyBytes });
    if (work.kind !== "module") {
      const log = (level: string, message: string) => options.log(redactLine(`${level} ${meta.operation}: ${message}`));
      return fitted(await external(work, { meta, input }, { ...more, journal: options.journal, log }));
    }
    if (given !== undefined) definitions.set(order.isolate, given);
    const definition = definitions.get(order.isolate);
    if (definition === undefined) return NEED_REPLY;
    // What was allowed is what the order says; what runs is what the definition says.
    if (definition.language !== work.language) throw new TypeError(`the definition is ${definition.language}`);
    await slots.take();
    try {
      if (cancellation?.requested === true) return replyOf(cancelledAnswer(meta.operation));
      return await fitted(await runModule(order, definition, { input, platform }, cancellation));
    } finally {
      slots.giveBack();
    }
  };

  return {
    async run(order, { cancellation } = {}) {
      try {
        return await run(order, cancellation);
      } catch (thrown) {
        if (thrown instanceof PartMissing) return replyOf(failed("environment_unavailable", thrown.message));
        const error = toSwitchyardError(thrown);
        // All that throws in here does so before anything of the operation has run.
        return replyOf(failed(error.code === "internal" ? "environment_unavailable" : error.code, error.message));
      }
    },
    async close() {
      children.close();
    },
  };
}

/** What is thrown in the middle of a program's run is no word that nothing of it has run. */
const external: typeof runExternalWork = async (work, order, options) => {
  try {
    return await runExternalWork(work, order, options);
  } catch (thrown) {
    const { message } = toSwitchyardError(thrown);
    return failed(
      "executor_lost",
      `Cannot finish "${order.meta.operation}": the host must follow its work; ${message}`,
    );
  }
};

function platformAt(base: string | null): Platform {
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

function failed(code: ErrorCode, detail: string): Failure {
  return { ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] };
}

function missing(detail: string, program: string): Failure {
  const from = program.includes("/") && !program.startsWith("/") ? ", seen from the folder where it was started" : "";
  const hint = `Compile or copy the program to ${program} on the runner's machine${from}.`;
  const { error, ...failure } = failed("environment_misconfigured", detail);
  return { ...failure, error: { ...error, hint } };
}

/** A process that is gone in the middle of a call. Before its first word nothing of the operation has run. */
function lost(operation: string, state: Child["state"], why: string): Failure {
  switch (state) {
    case "new":
      return failed(
        "environment_misconfigured",
        `Cannot run "${operation}": this machine must be able to start its process; it is ${why}`,
      );
    case "started":
      return failed(
        "module_invalid",
        `Cannot load the module: its process must live until it is loaded; it is gone: ${why}`,
      );
    case "loaded":
      return failed(
        "executor_lost",
        `Cannot finish "${operation}": its process must live until the end; it is gone: ${why}`,
      );
  }
}

function cancelledAnswer(operation: string): Failure {
  return failed("execution_cancelled", `Cannot finish "${operation}": somebody must want the result; nobody does`);
}

function replyTo(result: InvocationResult): string {
  if (!result.ok) return replyOf(result);
  const { output, ...head } = result;
  return joinFrame(head, output);
}

function replyOf(result: Failure): string {
  return joinFrame(result, "");
}
