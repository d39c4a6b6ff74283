/**
 * What one agent's object writes, step by step: every method is called within a transaction of it and changes the tables and
 * nothing else. Who is told of what, and when, is the object's.
 */
import type { ErrorData } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { mayFollow, type AgentPhase } from "../model/agent-states.ts";
import type { Json, Step, Value } from "../planner/index.ts";
import { differences, isSame, parsePointer, toPointer, valueAt } from "../planner/index.ts";
import { brief, cut, sizeOf, toldOf } from "./_brief.ts";
import type { AgentStore, Head, StepRow } from "./_agent-store.ts";
import { backOff } from "./decide.ts";
import type { AgentSettings, Patch, PlanAnswer, PlanOrder, Sensed, StepAnswer } from "./messages.ts";
import { holdsFrom, patched, patchOf, stepData, touches } from "./step-data.ts";

/** Until somebody who could not say what has become of a step is asked again. */
const ASK_AGAIN_MS = 1_000;
const TOO_LARGE = {
  kind: "failed",
  cancelled: false,
  error: {
    code: "output_too_large",
    detail: `Cannot change the state: it may have at most ${LIMITS.agentStateBytes} bytes as JSON; it would have more`,
  },
} as const;

const TOO_MUCH = {
  kind: "failed",
  cancelled: false,
  error: {
    code: "payload_too_large",
    detail: `Cannot start the step: what its job sees (value, target, reads) may have at most ${LIMITS.agentStepBytes} bytes as JSON; it has more`,
  },
} as const;

/** Until a sensor is read again whose place a step was working on. */
const POLL_AGAIN_MS = 1_000;

/** Phases in which what a sensor sees may change what is done next. */
const ATTENTIVE: ReadonlySet<AgentPhase> = new Set(["planning", "running", "reached", "unreachable"]);

function otherwiseAt(path: string): string {
  return `a sensor sees otherwise at ${path || "/"}`;
}

export class Reckoning {
  readonly #store: AgentStore;

  constructor(store: AgentStore) {
    this.#store = store;
  }

  /** The agent as it is known, begun if it is not. */
  begun(settings: AgentSettings, now: number): Head {
    const before = this.#store.head();
    if (before !== undefined) return this.adopt(before, settings);
    const { initial, ...kept } = settings;
    const head: Head = {
      life: crypto.randomUUID().slice(0, 8),
      settings: kept,
      phase: "idle",
      reason: null,
      intent: "seek",
      seek: 0,
      plan: 0,
      planSeek: 0,
      replan: false,
      failures: 0,
      undone: 0,
      notBefore: 0,
      version: 0,
      unmet: [],
      since: now,
      sensorError: null,
    };
    this.#store.begin(head, initial as Value);
    return head;
  }

  /** The row was edited: its jobs count from the next plan on, and what could not be reached may be reached now. */
  adopt(head: Head, settings: AgentSettings): Head {
    if (head.settings.digest === settings.digest) return head;
    this.#store.forgetSensors();
    const { initial: _initial, ...kept } = settings;
    const after = { ...head, settings: kept };
    return after.phase === "unreachable" ? this.rethink(after) : this.#save(after);
  }

  /** The clock was: what was put off is done now. */
  putBack(head: Head, now: number): Head {
    this.#store.putBack(now);
    return this.#save({ ...head, since: Math.min(head.since, now), notBefore: Math.min(head.notBefore, now) });
  }

  /** Something has changed by which a target may be missed or reached. */
  rethink(head: Head): Head {
    return this.#save({ ...head, replan: true, failures: 0, undone: 0, notBefore: 0 });
  }

  /** As rethink(), for what a sensor has told: not more often than this, however much it tells. */
  lookAgain(head: Head): Head {
    return this.#save({ ...this.rethink(head), notBefore: head.since + head.settings.retry.initial_ms });
  }

  seek(head: Head, target: Json, now: number): Head {
    const cancelled = this.#store.cancelWaiting(now);
    const after: Head = {
      ...head,
      target,
      seek: head.seek + 1,
      intent: "seek",
      replan: true,
      failures: 0,
      undone: 0,
      notBefore: 0,
      unmet: [],
    };
    this.#store.tell(now, { type: "target", seek: after.seek, target, cancelled_steps: cancelled });
    this.#store.setHead(after);
    return after;
  }

  stop(head: Head, now: number): Head {
    const cancelled = this.#store.cancelWaiting(now);
    const after: Head = { ...head, intent: "stop", replan: false };
    this.#store.tell(now, { type: "stop", cancelled_steps: cancelled });
    this.#store.setHead(after);
    return after;
  }

  enter(head: Head, phase: AgentPhase, reason: string | null, now: number): Head {
    if (head.phase === phase && head.reason === reason) return head;
    if (!mayFollow(head.phase, phase)) throw new TypeError(`an agent may not go from ${head.phase} to ${phase}`);
    const after: Head = { ...head, phase, reason, since: head.phase === phase ? head.since : now };
    this.#store.setHead(after);
    const { active } = head.settings;
    this.#store.tell(now, { type: "phase", phase, reason, active, seek: head.seek, plan: head.plan });
    return after;
  }

  /** A sensor that tells of other places again and again must not keep a plan from being made. */
  outlived({ state, target }: PlanOrder, { plan, sensed }: PlanAnswer): boolean {
    if (plan?.reached !== true) return false;
    const after = patched(this.#store.state(), sensed);
    return holdsFrom(plan, { before: patched(state, sensed), after, target });
  }

  /** Where the state is another than the plan was made from, the plan is none: it is made again. */
  planned(head: Head, answer: PlanAnswer, now: number): Head {
    const { plan, refusal } = answer;
    let current = this.sense(head, answer.sensed, now);
    if (current.undone > head.undone) return current;
    if (refusal !== undefined) {
      if (refusal.again) return this.#putOff(current, refusal, now);
      return this.#failed(current, `no plan: ${refusal.detail}`, now);
    }
    if (plan === undefined) return this.#save({ ...current, replan: true });
    if (plan.reached && plan.steps.length === 0) {
      current = this.#save({ ...current, replan: false, failures: 0, notBefore: 0, unmet: [] });
      return this.enter(current, "reached", null, now);
    }
    if (!plan.reached) {
      // No failure that it is given up for: it only waits longer each time.
      const { retry } = current.settings;
      const notBefore = now + backOff(retry, current.failures + 1);
      const failures = Math.min(current.failures + 1, retry.max_failures - 1);
      current = this.#save({ ...current, replan: false, failures, notBefore, unmet: brief(plan.unmet) });
      const why = plan.bound === null ? "every way was tried" : `the search ended at its limit of ${plan.bound}`;
      const all = plan.unmet.map(({ path }) => path || "/").join(", ");
      const note = plan.unserved === null ? "" : `. ${cut(plan.unserved)}`;
      return this.enter(current, "unreachable", `no way to ${cut(all)}: ${why}${note}`, now);
    }
    this.#store.setPlan(plan.steps, plan.jobs);
    current = this.#save({ ...current, plan: current.plan + 1, planSeek: current.seek, replan: false, unmet: [] });
    this.#store.tell(now, {
      type: "plan",
      plan: current.plan,
      seek: current.seek,
      count: plan.steps.length,
      steps: toldOf(plan.steps),
    });
    return this.enter(current, "running", null, now);
  }

  /**
   * What a step is given is written before anybody hears of it: whoever starts it again gives it the same. Where that is too
   * much it has failed.
   */
  start(id: number, now: number): void {
    const row = this.#store.step(id);
    const job = row === undefined ? undefined : this.#store.job(row.step.job);
    if (row === undefined || job === undefined) throw new TypeError(`a step must be one of the plan; ${id} is not`);
    const data = stepData(job, row.step, this.#store.state());
    const fits = sizeOf(data) <= LIMITS.agentStepBytes;
    this.#store.start(id, fits ? data : { path: data.path, params: data.params, reads: {} }, now);
    this.#tellStep(row, { status: "started" }, now);
    const head = this.#store.head();
    if (fits || head === undefined) return;
    this.took(head, { ...TOO_MUCH, plan: head.plan, step: id, execution: null }, now);
  }

  /** The end of a step and what it makes of the state, in one. An answer that comes twice counts once. */
  took(head: Head, answer: StepAnswer, now: number): Head {
    const row = this.#store.step(answer.step);
    if (row?.status !== "started" || answer.plan !== head.plan) return head;
    const { execution } = answer;
    switch (answer.kind) {
      case "running":
        this.#store.note(row.id, { execution, retryAt: null });
        return head;
      case "unknown":
        this.#store.note(row.id, { execution, retryAt: now + ASK_AGAIN_MS });
        this.#tellStep(row, { status: "started", execution, error: answer.error }, now);
        return head;
      case "succeeded": {
        if (!this.#fits(answer.patches)) return this.took(head, { ...answer, ...TOO_LARGE }, now);
        this.#store.end(row.id, { status: "succeeded", execution, error: null, now });
        this.#tellStep(row, { status: "succeeded", execution }, now);
        const after = this.#change(head, answer.patches, now);
        return this.#release(after.failures === 0 ? after : this.#save({ ...after, failures: 0 }), now);
      }
      case "overtaken": {
        this.#store.end(row.id, { status: "cancelled", execution, error: null, now });
        this.#tellStep(row, { status: "cancelled" }, now);
        const reason = `${row.step.description}: its condition does not hold any more`;
        return this.#release(this.#stepFailed(head, reason, now), now);
      }
      case "failed": {
        const status = answer.cancelled ? "cancelled" : "failed";
        this.#store.end(row.id, { status, execution, error: answer.error, now });
        this.#tellStep(row, { status, execution, error: answer.error }, now);
        const reason = `${row.step.description}: ${answer.error.code}: ${answer.error.detail}`;
        return this.#release(this.#stepFailed(head, reason, now), now);
      }
    }
  }

  /** No more of this target, until there is a new one. */
  giveUp(head: Head, now: number): Head {
    this.#store.cancelWaiting(now);
    const reason = `gave up after ${Math.max(head.failures, head.undone)} failures: ${head.reason ?? "unknown"}`;
    return this.enter(this.#save({ ...head, replan: false }), "failed", reason, now);
  }

  /** As sense(), for what was read while a step may have been at work: that counts for nothing, and is read again after it. */
  polled(head: Head, sensed: readonly Sensed[], now: number): Head {
    const started = this.#store.started();
    const clear = sensed.filter(({ path }) => !started.some(({ step }) => touches(step, path)));
    for (const { path } of sensed)
      if (!clear.some((each) => each.path === path)) this.#store.setSensor(path, now + POLL_AGAIN_MS);
    const silent = sensed.find(({ error }) => error !== undefined);
    const sensorError =
      silent?.error === undefined ? null : { ...silent.error, detail: `${silent.path}: ${silent.error.detail}` };
    return this.sense(this.#save({ ...head, sensorError }), clear, now);
  }

  /** Values that somebody has seen. Where a step works on the place, they count once it has ended. */
  sense(head: Head, sensed: readonly Sensed[], now: number): Head {
    const steps = this.#store.steps();
    const started = steps.filter(({ status }) => status === "started");
    let after = head;
    for (const { path, value, error } of sensed) {
      if (error !== undefined) continue;
      if (started.some(({ step }) => touches(step, path))) this.#store.hold(path, value);
      else after = this.#observe(after, { path, value, waiting: steps }, now);
    }
    return after;
  }

  /** What was held for steps that have ended. */
  #release(head: Head, now: number): Head {
    const held = this.#store.held();
    if (held.length === 0) return head;
    const steps = this.#store.steps();
    let after = head;
    for (const { seq, path, value } of held) {
      if (steps.some(({ status, step }) => status === "started" && touches(step, path))) continue;
      this.#store.release(seq);
      after = this.#observe(after, { path, value, waiting: steps }, now);
    }
    return after;
  }

  #observe(
    head: Head,
    { path, value, waiting }: { path: string; value: Value; waiting: readonly StepRow[] },
    now: number,
  ): Head {
    const at = parsePointer(path);
    const before = valueAt(this.#store.state(), at);
    if (isSame(before, value)) return head;
    const patches = differences(before, value, at).map(({ path: place, after }) => patchOf(toPointer(place), after));
    if (!this.#fits(patches)) return this.#save({ ...head, sensorError: TOO_LARGE.error });
    this.#store.tell(now, { type: "sensed", path });
    let after = this.#change(head, patches, now);
    if (after.target === undefined || !ATTENTIVE.has(after.phase)) return after;
    const isUndone = waiting.some(({ status, step }) => status === "succeeded" && touches(step, path));
    const isOvertaken = waiting.some(({ status, step }) => status === "waiting" && touches(step, path));
    if (after.phase === "unreachable") return this.lookAgain(after);
    if (after.phase === "reached") {
      // What has held for a while was made so, and is another by now.
      if (!isUndone || now - after.since > backOff(after.settings.retry, after.undone + 1)) return this.rethink(after);
      const undone = after.undone + 1;
      const notBefore = undone === 1 ? now : now + backOff(after.settings.retry, undone);
      return this.#save({ ...after, undone, notBefore, reason: otherwiseAt(path), replan: true });
    }
    if (isUndone && after.planSeek === after.seek) {
      // What was made so is not so. Without a wait it would be done over and over, as fast as it can be.
      const undone = after.undone + 1;
      const notBefore = now + backOff(after.settings.retry, undone);
      after = this.#save({ ...after, undone, notBefore, reason: otherwiseAt(path), replan: true });
    }
    if (!isUndone && !isOvertaken) return after;
    const cancelled = this.#store.cancelWaiting(now);
    if (cancelled.length > 0) this.#store.tell(now, { type: "overtaken", path, cancelled_steps: cancelled });
    return this.#save({ ...after, replan: true });
  }

  #fits(patches: readonly Patch[]): boolean {
    return sizeOf(patched(this.#store.state(), patches)) <= LIMITS.agentStateBytes;
  }

  #change(head: Head, patches: readonly Patch[], now: number): Head {
    if (patches.length === 0) return head;
    this.#store.setState(patched(this.#store.state(), patches));
    this.#store.tell(now, { type: "state", patches });
    return this.#save({ ...head, version: head.version + 1 });
  }

  /** What was done for the target before is no failure of this one. */
  #stepFailed(head: Head, reason: string, now: number): Head {
    return head.planSeek === head.seek ? this.#failed(head, reason, now) : head;
  }

  /** Costs a failure: the plan is given up, and made again after a while. */
  #failed(head: Head, reason: string, now: number): Head {
    const failures = head.failures + 1;
    this.#store.cancelWaiting(now);
    const notBefore = now + backOff(head.settings.retry, failures);
    return this.#save({ ...head, failures, replan: true, notBefore, reason });
  }

  #putOff(head: Head, error: ErrorData, now: number): Head {
    const notBefore = now + Math.min(ASK_AGAIN_MS, head.settings.retry.max_ms);
    return this.#save({ ...head, replan: true, notBefore, reason: `${error.code}: ${error.detail}` });
  }

  #save(head: Head): Head {
    this.#store.setHead(head);
    return head;
  }

  #tellStep(
    { id, step }: { id: number; step: Step },
    what: { status: string; execution?: string | null; error?: ErrorData },
    now: number,
  ): void {
    const { status, execution, error } = what;
    const plan = this.#store.head()?.plan ?? 0;
    this.#store.tell(now, {
      type: "step",
      plan,
      step: id,
      description: step.description,
      status,
      execution_id: execution ?? null,
      ...(error === undefined ? {} : { error }),
    });
  }
}
