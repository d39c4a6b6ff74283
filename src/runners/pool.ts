/**
 * The runners of one environment and the work they have. Each push of an order has a fence of its own; the answer to a fence
 * that is not open is refused, so a job ends once. What keeps a job: a socket that gives signs of life, or the grace in
 * which a runner may come back. Work of a pool that is gone is known only to its runners, which say so when they connect;
 * a later attempt of the same execution is joined to it instead of being run again.
 *
 * Only time in which the pool could hear counts as silence. While somebody has work it looks at the clock every second: where
 * far more has passed, the clock has jumped or the machine has slept, and all times move with it. While nobody has, it cannot
 * tell: a runner that seems gone is asked to connect again, which a live one does at once.
 *
 *     order → queued → pushed → result            runner: hello → connected → (lost within its grace) → gone
 */
import type { ErrorCode } from "../core/errors.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ReplicaReport } from "../model/services.ts";
import {
  ATTACHMENT_BYTES,
  CLOSE,
  KEPT_MS,
  type Declared,
  type FromRunner,
  type Hello,
  type Parcel,
  type PoolOrder,
  type PoolStatus,
  startHint,
} from "../model/runner-protocol.ts";
import { Runner, type Answer, type Job, type Settle, type Socket } from "./_runner.ts";
import { isInDoubt, judgeHello, leaseOf, mayTake, misfit, pick, whyNobody, type Candidate } from "./_decide.ts";
import { parseReports, type TellService } from "./_replica-reports.ts";

export type PoolDeps = {
  environment: string;
  /** Of this memory: fences of another are those of a pool that is gone. */
  incarnation: string;
  now(): number;
  /** Calls back once, later. Answers how to take that back. */
  later(ms: number, callback: () => void): () => void;
  /** Tells a service of its replicas on one runner. */
  tellService: TellService;
};

type Waiting = { order: PoolOrder; settle: Settle; stop: () => void };

export type { Socket };

const TICK_MS = 1_000;
/** How long an acknowledgement waits for company. */
const ALONG_MS = 50;
const TIMEOUT_GRACE_MS = 1_000;
/** A slot whose work was cancelled is given out again when the runner says so, and at the latest then. */
const CLOSING_MS = 30_000;
/** A pool that has just begun to remember may not know a runner yet that is on its way back to it; nor one that has slept. */
const YOUNG_MS = 20_000;
/** A look at the clock that is so much too late or too early: with it and a sign of life just missed a lease is not over yet. */
const JUMP_MS = 2_000;

export class Pool {
  readonly #deps: PoolDeps;
  readonly #runners = new Map<string, Runner>();
  readonly #bySocket = new Map<Socket, Runner>();
  readonly #queue = new Set<Waiting>();
  #fences = 0;
  #resumeMs = 3_000;
  /** Runners that are owed an acknowledgement. */
  readonly #flushing = new Set<Runner>();
  /** When the next tick is due; undefined: nobody has work. */
  #tickAt: number | undefined;
  /** When it was last away for long. */
  #wokeAt = Number.NEGATIVE_INFINITY;
  /** Names of runners that have been here and are gone. */
  readonly #lost = new Set<string>();
  readonly #bornAt: number;

  constructor(deps: PoolDeps) {
    this.#deps = deps;
    this.#bornAt = deps.now();
  }

  /** A socket that was there before this memory, and what its runner had said. */
  restore(socket: Socket, declared: Declared): void {
    // One that has been silent since before is not taken for a live one.
    this.#admit(new Runner(declared, socket, socket.beatAt() || this.#now()), socket);
  }

  run(order: PoolOrder): Promise<Answer> {
    this.#resumeMs = order.resume_ms;
    return new Promise((settle) => this.#take(order, settle));
  }

  cancel(id: string): void {
    const why = failure("execution_cancelled", "Cannot go on: the call was cancelled");
    for (const waiting of this.#queue) {
      if (waiting.order.id === id) this.#leaveQueue(waiting, { ...why, unstarted: true });
    }
    for (const runner of this.#runners.values()) {
      for (const job of runner.jobs.values()) if (job.order?.id === id) this.#close(runner, job, why);
    }
  }

  status(): PoolStatus {
    const now = this.#now();
    return { runners: [...this.#runners.values()].map((runner) => runner.view(now)), queued: this.#queue.size };
  }

  received(socket: Socket, { head, body }: Parcel<FromRunner>): void {
    if (head.type === "hello") return this.#hello(socket, head);
    const runner = this.#bySocket.get(socket);
    if (runner === undefined) return socket.close(CLOSE.refused.code, "a hello must come first");
    runner.heardAt = this.#now();
    switch (head.type) {
      case "result":
        return this.#result(runner, head.fence, body);
      case "drain":
        runner.draining = true;
        return this.#closeDrained(runner);
      case "replicas":
        return this.#replicas(runner, socket, body);
    }
  }

  /** The socket is gone: its runner may come back within the grace. */
  closed(socket: Socket): void {
    const runner = this.#bySocket.get(socket);
    this.#bySocket.delete(socket);
    if (runner === undefined || runner.socket !== socket) return;
    runner.socket = undefined;
    if (!runner.isBusy()) return this.#forget(runner);
    this.#awaitBack(runner);
  }

  #awaitBack(runner: Runner): void {
    const withinMs = Math.max(this.#resumeMs, isYoung(this.#wokeAt, this.#now()) ? YOUNG_MS : 0);
    runner.stopGrace = this.#deps.later(withinMs, () =>
      this.#lose(runner, `its connection was lost and it was not back within ${withinMs} ms`),
    );
  }

  #take(order: PoolOrder, settle: Settle): void {
    if (this.#adopt(order, settle)) return;
    const all = this.#candidates(order.isolate);
    const chosen = pick(all, order);
    if (chosen !== undefined) return this.#push(chosen.runner, order, settle);
    const fits = all.some((one) => mayTake(one, order));
    if (!fits && !order.hold && !this.#mayComeBack(order)) return settle(this.#nobody(order));
    if (this.#queue.size >= order.max_queued) {
      return settle(
        this.#unstarted(
          "environment_throttled",
          `at most ${order.max_queued} calls may wait for a runner; so many do`,
          "start more runners or slots, or raise max_queued in the environment's config",
        ),
      );
    }
    const waiting: Waiting = { order, settle, stop: () => undefined };
    this.#queue.add(waiting);
    for (const one of all) if (isInDoubt(one) && mayTake(one, order)) this.#ask(one.runner);
    waiting.stop = this.#deps.later(order.wait_ms, () => {
      const someone = this.#candidates("").some((one) => misfit(one, order) === undefined);
      const why =
        order.on !== undefined && someone
          ? this.#unstarted(
              "environment_unavailable",
              `the runner "${order.on}" must be connected; its connection is lost`,
            )
          : someone
            ? this.#unstarted(
                "environment_throttled",
                `a slot must get free within ${order.wait_ms} ms; all are taken`,
                "start more runners or slots, or raise wait_ms in the environment's config",
              )
            : this.#nobody(order);
      this.#leaveQueue(waiting, why);
    });
  }

  #mayComeBack({ on }: PoolOrder): boolean {
    return on !== undefined && !this.#lost.has(on) && isYoung(this.#bornAt, this.#now());
  }

  #leaveQueue(waiting: Waiting, answer: Answer): void {
    if (!this.#queue.delete(waiting)) return;
    waiting.stop();
    waiting.settle(answer);
  }

  /** Hands out what waits, oldest first; one that fits nobody does not keep the others. */
  #pump(): void {
    let isFull = false;
    for (const waiting of this.#queue) {
      if (isFull && waiting.order.beside !== true) continue;
      // A runner that has just come back may be at it already.
      if (this.#adopt(waiting.order, waiting.settle)) {
        this.#queue.delete(waiting);
        waiting.stop();
        continue;
      }
      const all = this.#candidates(waiting.order.isolate);
      const chosen = pick(all, waiting.order);
      if (chosen === undefined) {
        isFull ||= !all.some((one) => one.connected && !one.draining && one.inFlight < one.declared.slots);
        // What one runner alone can do has nobody to wait for without it.
        const { order } = waiting;
        const isLost = order.on !== undefined && !all.some((one) => mayTake(one, order));
        if (isLost && !this.#mayComeBack(order)) this.#leaveQueue(waiting, this.#nobody(waiting.order));
        continue;
      }
      this.#queue.delete(waiting);
      waiting.stop();
      this.#push(chosen.runner, waiting.order, waiting.settle);
    }
  }

  #push(runner: Runner, order: PoolOrder, settle: Settle): void {
    this.#fences += 1;
    const { execution, attempt, item, beside } = order;
    const fence = `${this.#deps.incarnation}.${this.#fences}`;
    const now = this.#now();
    // The lease of an idle one is longer: it begins anew with the work.
    if (!runner.isBusy()) runner.heardAt = now;
    const endsAt = now + order.timeout_ms + TIMEOUT_GRACE_MS;
    const job = { fence, execution, attempt, item, ...(beside === true ? { beside } : {}) };
    runner.jobs.set(fence, { ...job, order, settle, state: "running", endsAt });
    runner.warmed(order.isolate);
    runner.send({ type: "run", ...job }, order.order);
    this.#tickOn();
  }

  /** Joins the order to a job that an earlier attempt has left with a runner. */
  #adopt(order: PoolOrder, settle: Settle): boolean {
    for (const runner of this.#runners.values()) {
      for (const job of runner.jobs.values()) {
        if (job.settle !== undefined || job.state === "closed") continue;
        if (job.execution !== order.execution || job.item !== order.item || job.attempt > order.attempt) continue;
        job.settle = settle;
        job.order = order;
        job.endsAt = this.#now() + order.timeout_ms + TIMEOUT_GRACE_MS;
        if (job.state === "answered") runner.send({ type: "claim", fence: job.fence });
        return true;
      }
    }
    return false;
  }

  #result(runner: Runner, fence: string, reply: string): void {
    const job = runner.jobs.get(fence);
    if (job === undefined || job.state === "closed") {
      runner.jobs.delete(fence);
      runner.send({ type: "refused", fence, reason: "nobody waits for it any more" });
    } else if (job.settle === undefined) {
      job.state = "answered";
      runner.send({ type: "keep", fence });
    } else {
      runner.jobs.delete(fence);
      job.settle(reply);
      this.#acknowledge(runner, fence);
    }
    this.#pump();
    this.#closeDrained(runner);
  }

  #replicas(runner: Runner, socket: Socket, body: string): void {
    let replicas: readonly ReplicaReport[];
    try {
      replicas = parseReports(body, runner.declared.name);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return socket.close(CLOSE.refused.code, `cannot read what it says of its replicas: ${why}`.slice(0, 120));
    }
    this.#report(runner, replicas, null);
    if (runner.isBusy()) this.#tickOn();
    this.#closeDrained(runner);
  }

  #report(runner: Runner, replicas: readonly ReplicaReport[], lost: string | null): void {
    const { environment, tellService: tell } = this.#deps;
    const from = { environment, place: runner.declared.name, lost };
    runner.replicas.take(replicas, from, { tell, now: this.#now() });
  }

  #acknowledge(runner: Runner, fence: string): void {
    runner.sendAlong({ type: "ack", fence });
    if (this.#flushing.size === 0) {
      this.#deps.later(ALONG_MS, () => {
        for (const each of this.#flushing) each.flush();
        this.#flushing.clear();
      });
    }
    this.#flushing.add(runner);
  }

  #hello(socket: Socket, hello: Hello): void {
    const holder =
      this.#runners.get(hello.instance) ??
      [...this.#runners.values()].find(({ declared }) => declared.name === hello.name);
    const verdict = judgeHello(hello, holder?.candidate("", this.#now()));
    if (verdict.kind === "close") return socket.close(verdict.code, verdict.reason);
    const { version, name, instance, slots, capabilities, runs } = hello;
    const declared: Declared = { version, name, instance, slots, capabilities, runs };
    if (JSON.stringify(declared).length > ATTACHMENT_BYTES) {
      return socket.close(CLOSE.refused.code, `its capabilities must be at most ${ATTACHMENT_BYTES} characters`);
    }
    if (holder !== undefined && verdict.kind === "inherit") this.#lose(holder, "another took its name");
    const runner = verdict.kind === "resume" && holder !== undefined ? holder : new Runner(declared, socket, 0);
    const before = runner.socket;
    if (before !== undefined && before !== socket) {
      this.#bySocket.delete(before);
      before.close(CLOSE.replaced.code, "the same runner has connected again");
    }
    runner.declared = declared;
    runner.socket = socket;
    runner.draining = false;
    runner.heardAt = this.#now();
    runner.stopGrace?.();
    runner.stopGrace = undefined;
    socket.attach(declared);
    this.#admit(runner, socket);
    runner.send({ type: "welcome", environment: this.#deps.environment });
    this.#reconcile(runner, hello);
    this.#pump();
  }

  #admit(runner: Runner, socket: Socket): void {
    this.#lost.delete(runner.declared.name);
    this.#runners.set(runner.declared.instance, runner);
    this.#bySocket.set(socket, runner);
  }

  /** What it says that it has, against what is known here. */
  #reconcile(runner: Runner, { running, finished }: Hello): void {
    const said = new Set<string>();
    const reported = [
      ...running.map((job) => ({ job, state: "running" as const })),
      ...finished.map((job) => ({ job, state: "answered" as const })),
    ];
    for (const { job, state } of reported) {
      said.add(job.fence);
      const known = runner.jobs.get(job.fence);
      if (known !== undefined) {
        if (state === "answered" && known.settle !== undefined) runner.send({ type: "claim", fence: job.fence });
      } else if (job.fence.startsWith(`${this.#deps.incarnation}.`)) {
        runner.send({ type: "cancel", fence: job.fence });
        const reason = "nobody waits for it any more";
        if (state === "answered") runner.send({ type: "refused", fence: job.fence, reason });
      } else {
        const endsAt = this.#now() + KEPT_MS;
        runner.jobs.set(job.fence, { ...job, order: undefined, settle: undefined, state, endsAt });
        this.#tickOn();
      }
    }
    // The same process does not know it, so it never arrived: nothing has run, and it is sent again.
    for (const job of runner.jobs.values()) {
      if (said.has(job.fence)) continue;
      const { fence, execution, attempt, item, beside, order, state } = job;
      if (order === undefined || state === "closed") runner.jobs.delete(fence);
      else {
        const head = { fence, execution, attempt, item, ...(beside === true ? { beside } : {}) };
        runner.send({ type: "run", ...head }, order.order);
      }
    }
  }

  /** Ends a job for its waiter; its slot stays taken until the runner says that it has stopped. */
  #close(runner: Runner, job: Job, answer: Answer): void {
    job.state = "closed";
    job.endsAt = this.#now() + CLOSING_MS;
    job.settle?.(answer);
    job.settle = undefined;
    runner.send({ type: "cancel", fence: job.fence });
  }

  #lose(runner: Runner, why: string): void {
    const { name } = runner.declared;
    const { socket } = runner;
    this.#forget(runner);
    this.#report(runner, [], why);
    if (socket !== undefined) {
      runner.socket = undefined;
      this.#bySocket.delete(socket);
      socket.close(CLOSE.silent.code, why.slice(0, 120));
    }
    for (const job of runner.jobs.values()) {
      const { environment } = this.#deps;
      job.settle?.(
        failure("executor_lost", `Cannot tell what became of it on runner "${name}" of "${environment}": ${why}`),
      );
    }
    runner.jobs.clear();
    this.#pump();
  }

  #forget(runner: Runner): void {
    runner.stopGrace?.();
    // Only while the pool is young does it matter.
    if (isYoung(this.#bornAt, this.#now())) this.#lost.add(runner.declared.name);
    if (this.#runners.get(runner.declared.instance) === runner) this.#runners.delete(runner.declared.instance);
  }

  #closeDrained(runner: Runner): void {
    if (!runner.draining || !runner.isDone()) return;
    runner.flush();
    runner.socket?.close(CLOSE.drained.code, "drained");
  }

  /** Breaks off a connection on which nothing came for too long: a runner that is alive has another at once. */
  #ask(runner: Runner): void {
    const { socket } = runner;
    if (socket === undefined) return;
    runner.socket = undefined;
    this.#bySocket.delete(socket);
    socket.close(CLOSE.silent.code, "nothing was heard of it for long");
    this.#awaitBack(runner);
  }

  /** What time it is. While somebody has work it is known what time it should be. */
  #now(): number {
    const now = this.#deps.now();
    if (this.#tickAt === undefined) return now;
    // It lies between when the tick was set and when it is due.
    const jumpMs = Math.max(0, now - this.#tickAt) + Math.min(0, now - (this.#tickAt - TICK_MS));
    if (Math.abs(jumpMs) < JUMP_MS) return now;
    this.#tickAt += jumpMs;
    // For so long runners wait before they connect again.
    if (jumpMs > YOUNG_MS) this.#wokeAt = now;
    for (const runner of this.#runners.values()) runner.jumped(jumpMs, now);
    return now;
  }

  #tickOn(): void {
    if (this.#tickAt !== undefined) return;
    this.#tickAt = this.#deps.now() + TICK_MS;
    this.#deps.later(TICK_MS, () => {
      this.#now();
      this.#tickAt = undefined;
      this.#tick();
    });
  }

  /** Runs only while somebody has work: else the object could never sleep. */
  #tick(): void {
    const now = this.#now();
    let isBusy = false;
    for (const runner of this.#runners.values()) {
      const leaseMs = leaseOf({ isBusy: runner.isBusy() });
      const silentMs = now - runner.seenAt(now);
      if (runner.socket !== undefined && silentMs > leaseMs && !isYoung(this.#wokeAt, now)) {
        this.#lose(runner, `it was silent for ${silentMs} ms; its lease is ${leaseMs} ms`);
        continue;
      }
      for (const job of runner.jobs.values()) {
        if (job.endsAt > now) continue;
        if (job.state === "closed" || job.settle === undefined) runner.jobs.delete(job.fence);
        else {
          const timeoutMs = job.order?.timeout_ms ?? 0;
          this.#close(
            runner,
            job,
            failure("timeout", `Cannot wait longer: it must end within ${timeoutMs} ms; it has not`),
          );
        }
      }
      isBusy ||= runner.isBusy();
      this.#closeDrained(runner);
    }
    if (isBusy) this.#tickOn();
    this.#pump();
  }

  #candidates(isolate: string): (Candidate & { runner: Runner })[] {
    const now = this.#now();
    return [...this.#runners.values()].map((runner) => runner.candidate(isolate, now));
  }

  #nobody(order: PoolOrder): Outcome {
    const candidates = this.#candidates("");
    return this.#unstarted(
      "environment_unavailable",
      whyNobody(candidates, order),
      startHint(this.#deps.environment, { beside: candidates.length > 0 }),
    );
  }

  #unstarted(code: ErrorCode, why: string, hint?: string): Outcome {
    const { environment } = this.#deps;
    const { error, ...rest } = failure(code, `Cannot run it in "${environment}": ${why}`);
    return { ...rest, error: { ...error, ...(hint === undefined ? {} : { hint }) }, unstarted: true };
  }
}

/** Whatever the clock has done since. */
function isYoung(since: number, now: number): boolean {
  return Math.abs(now - since) < YOUNG_MS;
}

function failure(code: ErrorCode, detail: string): Outcome & { ok: false } {
  return { ok: false, error: { code, detail }, retry: { kind: "may" }, logs: [] };
}
