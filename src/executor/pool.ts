/**
 * Runs code in supervised processes, each behind a slot with a fixed address. The supervisor says which slot to use; this
 * side sends the call, supplies the code where it is not known, and keeps three promises whatever happens to a process:
 *
 * - a call that had not started moves to another process unseen, one that had is never run twice;
 * - every call ends, within its time-out and ANSWER_GRACE_MS;
 * - who was running when a process died gets `timeout` past its own time-out, else `executor_lost`.
 */
import { toErrorData, toSwitchyardError } from "../core/errors.ts";
import type { Executor, InvocationMeta, InvocationResult, IsolateSpec, RunOptions } from "../model/invocation.ts";
import { joinFrame, parseResult, type RunHead } from "../model/frame.ts";
import { type LossAnswer, NO_PROCESSES, type PoolState } from "./pool-state.ts";
import { callId, MOVE_AFTER_MS, NEED_DEFINITION, SECRET_HEADER, REFUSED } from "./protocol.ts";
import { cancelled, unlessCancelled } from "./_cancellation.ts";
import { type AttemptEnd, type Call, failure, isPast, orTimer, remainingMs, sleep, timedOut } from "./_pool-call.ts";
import { Sender } from "./_sender.ts";
import { SupervisorClient } from "./supervisor-client.ts";

/** Past its time-out by this much, a call is late: its process's own timer should have fired. */
const LATE_MS = 200;
/** Past its time-out by this much, a call is answered without its process. */
const ANSWER_GRACE_MS = 700;
/** How often a call that takes long looks whether its process still answers. */
const LOOK_MS = 150;
/** Good runs after which an operation leaves its process of its own. */
const GOOD_RUNS = 20;

type PoolPorts = { slots: readonly Fetcher[]; supervisor: Fetcher; secret: string };

type Step = { kind: "end"; result: InvocationResult } | { kind: "again" };

export class PoolExecutor implements Executor {
  readonly #supervisor: SupervisorClient;
  readonly #secret: string;
  readonly #sender: Sender;
  #state: PoolState = NO_PROCESSES;
  readonly #goodRuns = new Map<string, number>();
  /** What is under way, by call id. */
  readonly #sent = new Map<string, { slot: number; operation: string }>();
  /** By slot, the operation that answered last. */
  readonly #last = new Map<number, string>();

  constructor(ports: PoolPorts) {
    this.#secret = ports.secret;
    this.#sender = new Sender(ports.slots, ports.secret);
    this.#supervisor = new SupervisorClient(ports.supervisor, ports.secret);
  }

  /** The supervisor's news, as an internal request. */
  async control(request: Request): Promise<Response> {
    if (request.headers.get(SECRET_HEADER) !== this.#secret) return new Response(null, { status: 404 });
    const known = this.#state.stalled;
    this.setPool(await request.json<PoolState>());
    for (const slot of this.#state.stalled) {
      if (known.includes(slot)) continue;
      const calls = Object.fromEntries(
        [...this.#sent].filter(([, sent]) => sent.slot === slot).map(([id, { operation }]) => [id, operation]),
      );
      this.setPool(await this.#supervisor.stalled({ slot, calls, last: this.#last.get(slot) ?? null }));
    }
    return new Response(null, { status: 204 });
  }

  setPool(state: PoolState): void {
    if (state.version > this.#state.version) this.#state = state;
  }

  async run(
    isolate: IsolateSpec,
    input: string,
    meta: InvocationMeta,
    { group, cancellation }: RunOptions = {},
  ): Promise<InvocationResult> {
    const call: Call = { isolate, input, meta, startedAtMs: Date.now(), group, cancellation };
    if (cancellation === undefined) return this.#run(call);
    if (cancellation.requested) return cancelled(meta);
    return unlessCancelled(this.#run(call), { cancellation, meta, tell: () => this.#tellCancelled(call) });
  }

  async #run(call: Call): Promise<InvocationResult> {
    const { isolate, meta, cancellation } = call;
    try {
      for (;;) {
        const slot = this.#slotFor(isolate.operation) ?? (await this.#awaitSlot(call));
        if (cancellation?.requested === true) return cancelled(meta);
        if (slot === undefined) {
          const detail = `Cannot start "${meta.operation}": an executor process must take it within ${meta.timeout_ms} ms; none did`;
          return failure("executor_lost", detail);
        }
        const step = await this.#attempt(slot, call);
        if (step.kind === "end") return step.result;
        // It has not started anywhere, and its time is over.
        if (isPast(call, 0)) return timedOut(meta);
      }
    } catch (thrown) {
      return { ok: false, error: toErrorData(toSwitchyardError(thrown)), retry: { kind: "may" }, logs: [] };
    }
  }

  #tellCancelled(call: Call): void {
    const id = callId(call.meta);
    const slot = this.#sent.get(id)?.slot;
    if (slot !== undefined) this.#sender.cancel(slot, id);
  }

  #slotFor(operation: string): number | undefined {
    const { active, ready } = this.#state;
    const slot = this.#ownSlotOf(operation) ?? active;
    return slot !== null && ready.includes(slot) ? slot : undefined;
  }

  /** An operation may be called "constructor", which every object has. */
  #ownSlotOf(operation: string): number | undefined {
    const { dedicated } = this.#state;
    return Object.hasOwn(dedicated, operation) ? dedicated[operation] : undefined;
  }

  /** Asks until there is a process for the call, or its time is over. */
  async #awaitSlot(call: Call): Promise<number | undefined> {
    for (let waitMs = 10; ; waitMs = Math.min(waitMs * 1.5, 200)) {
      const own = this.#ownSlotOf(call.isolate.operation);
      const asleep = own !== undefined && this.#state.stopped.includes(own);
      try {
        this.setPool(await (asleep ? this.#supervisor.wake(own) : this.#supervisor.state()));
      } catch {
        // It may be restarting too; the loop ends with the call's time.
      }
      const slot = this.#slotFor(call.isolate.operation);
      if (slot !== undefined) return slot;
      if (isPast(call, 0) || call.cancellation?.requested === true) return undefined;
      await sleep(waitMs);
    }
  }

  async #attempt(slot: number, call: Call): Promise<Step> {
    const { operation } = call.isolate;
    const id = callId(call.meta);
    this.#sent.set(id, { slot, operation });
    const end = await this.#send(slot, call);
    this.#sent.delete(id);
    if (end.kind === "answer") {
      this.#last.set(slot, operation);
      if (this.#ownSlotOf(operation) !== undefined) this.#countGoodRun(operation);
      return { kind: "end", result: parseResult(end.frame) };
    }
    if (end.kind === "status") {
      if (end.status === NEED_DEFINITION) call.definition = await call.isolate.load();
      else if (end.status !== REFUSED) throw new Error(`an executor process answered ${end.status}`);
      else if (this.#slotFor(operation) === slot) this.setPool(await this.#supervisor.state());
      return { kind: "again" };
    }
    return end.kind === "moved" ? { kind: "again" } : this.#settleLoss(slot, call);
  }

  /** Sends the call and watches it. */
  async #send(slot: number, call: Call): Promise<AttemptEnd> {
    const sentAtMs = Date.now();
    const head: RunHead = {
      isolate: call.isolate.id,
      sent_at_ms: sentAtMs,
      start_by_ms: call.startedAtMs + call.meta.timeout_ms,
      meta: call.meta,
      ...(call.definition === undefined ? {} : { definition: call.definition }),
    };
    const firstWaitMs = Math.min(MOVE_AFTER_MS, Math.max(remainingMs(call) + LATE_MS, 0));
    const ticket = this.#sender.send(slot, head, call, firstWaitMs);
    const first = await ticket.first;
    if (first !== undefined) return first;
    // In a group the shortest wait of all is over, which may not be this call's own.
    const end = await orTimer(ticket.later(), sentAtMs + firstWaitMs - Date.now());
    return end ?? this.#watch(slot, call, ticket.later());
  }

  /**
   * A call that takes longer than most: takes it off a process that no longer answers, or past its
   * time. The request that is left behind ends with the edge's own.
   */
  async #watch(slot: number, call: Call, answer: Promise<AttemptEnd>): Promise<AttemptEnd> {
    let started = false;
    for (;;) {
      // Stalled, or at its end: the connection of a process that has gigabytes to give back breaks a second after that.
      if (!started && !this.#state.ready.includes(slot)) {
        const verdict = await this.#ask(slot, call, false);
        if (verdict?.started === false) {
          return { kind: "moved" };
        }
        started = verdict?.started ?? false;
      }
      if (isPast(call, LATE_MS) && this.#state.stalled.includes(slot)) {
        try {
          this.setPool(await this.#supervisor.late(slot));
        } catch {
          // The answer below does not depend on it.
        }
      }
      if (isPast(call, ANSWER_GRACE_MS)) {
        return { kind: "answer", frame: joinFrame(timedOut(call.meta), "") };
      }
      const end = await orTimer(answer, LOOK_MS);
      if (end !== undefined) return end;
    }
  }

  /** The call is off its process. Started: it ends here. Not started: it goes to another one. */
  async #settleLoss(slot: number, call: Call): Promise<Step> {
    const { meta } = call;
    const verdict = await this.#ask(slot, call, true);
    if (verdict?.started === false) {
      if (this.#slotFor(call.isolate.operation) === slot) await sleep(25);
      return { kind: "again" };
    }
    this.#goodRuns.delete(call.isolate.operation);
    if (isPast(call, 0)) return { kind: "end", result: timedOut(meta) };
    const why =
      verdict?.cause === "memory"
        ? "used too much memory"
        : verdict?.cause === "timeout"
          ? "was killed for a call that did not end"
          : "ended";
    const detail = `Cannot finish "${meta.operation}": its executor process must live until the end; it ${why}`;
    return { kind: "end", result: failure("executor_lost", detail) };
  }

  async #ask(slot: number, call: Call, lost: boolean): Promise<LossAnswer | undefined> {
    const { meta, isolate } = call;
    try {
      const question = { slot, call_id: callId(meta), operation: isolate.operation, lost };
      // Not knowing means that the call is lost, so it is worth waiting for as long as the call itself may wait.
      const withinMs = Math.min(2_000, Math.max(50, remainingMs(call) + ANSWER_GRACE_MS));
      const answer = await this.#supervisor.lost(question, withinMs);
      this.setPool(answer.state);
      return answer;
    } catch {
      return undefined;
    }
  }

  #countGoodRun(operation: string): void {
    const runs = (this.#goodRuns.get(operation) ?? 0) + 1;
    if (runs < GOOD_RUNS) {
      this.#goodRuns.set(operation, runs);
      return;
    }
    this.#goodRuns.delete(operation);
    // Whoever asks next hears of it; the answer to this call does not wait.
    void this.#supervisor.behaved(operation).then(
      (state) => this.setPool(state),
      () => undefined,
    );
  }
}
