/**
 * The door by which a host connects outward to its environment's pool: takes orders, keeps results until they are
 * acknowledged, and comes back by itself when the connection breaks. It ends when it has drained, is refused, or is closed.
 */
import { randomUUID } from "node:crypto";
import { Cancellation } from "../core/cancellation.ts";
import { isErrorCode, SwitchyardError } from "../core/errors.ts";
import { joinFrame } from "../model/frame.ts";
import type { ReplicaReport } from "../model/services.ts";
import { KeptResults } from "./_kept-results.ts";
import {
  BEAT_BUSY_MS,
  BEAT_IDLE_MS,
  CLOSE,
  LEASE_MS,
  MOST_JOBS,
  packParcels,
  PING,
  PONG,
  REPLICAS_EVERY_MS,
  RUNNER_PROTOCOL,
  RUNNER_SUBPROTOCOL,
  ToRunnerSchema,
  unpackParcels,
  type Declared,
  type FromRunner,
  type Parcel,
  type RunnerJob,
  type ToRunner,
} from "../model/runner-protocol.ts";

export type RunnerHost = {
  run(order: string, options?: { cancellation?: Cancellation }): Promise<string>;
};

/** The replicas of services that the runner has, as its door tells of them (replicas/replicas.node.ts). */
export type TellsOfReplicas = {
  /** All that there are, and those that have ended since they were told. */
  reports(): readonly ReplicaReport[];
  told(replicas: readonly ReplicaReport[]): void;
  onChange(listener: () => void): void;
  drain(): void;
};

export type RunnerDoorOptions = Omit<Declared, "instance"> & {
  /** The platform's address, without a slash at the end. */
  url: string;
  token: string;
  environment: string;
  host: RunnerHost;
  replicas?: TellsOfReplicas;
  log: (line: string) => void;
  /** Said in the hello; another number only in tests. */
  protocol?: number;
  /** Waits before it connects again. Milliseconds; the wait doubles from the first to the second, with jitter. */
  backoffMs?: { first: number; most: number };
};

export type RunnerDoor = {
  /** Settles when it is over: drained and closed end well, a refusal throws what the platform said. */
  readonly ended: Promise<void>;
  /** Takes nothing new, finishes what it has. */
  drain(): void;
  /** At once; what runs is stopped. */
  close(): void;
};

type Running = RunnerJob & { cancellation: Cancellation };
type Timer = ReturnType<typeof setTimeout>;

/** How long a connection may take until the welcome, and how long `pong` may. */
const ANSWER_WITHIN_MS = LEASE_MS;
/** A connection that lasted so long begins the waits anew. */
const STEADY_MS = 10_000;
const TOGETHER_CHARS = 1024 * 1024;

export function openRunnerDoor(options: RunnerDoorOptions): RunnerDoor {
  const door = new Door(options);
  door.connect();
  return door;
}

class Door implements RunnerDoor {
  readonly #options: RunnerDoorOptions;
  readonly #instance = randomUUID();
  readonly #running = new Map<string, Running>();
  readonly #kept = new KeptResults();
  readonly #end = Promise.withResolvers<void>();
  #outbox: Parcel<FromRunner>[] = [];
  #socket: WebSocket | undefined;
  #isWelcome = false;
  #draining = false;
  #over = false;
  #tries = 0;
  #connectedAt = 0;
  #pingedAt: number | undefined;
  #beatTimer: Timer | undefined;
  #againTimer: Timer | undefined;
  /** Until the welcome: a platform that takes the connection and says nothing would hold it for ever. */
  #slowTimer: Timer | undefined;
  #replicasTimer: Timer | undefined;
  #isTelling = false;
  #hasReplicas = false;

  constructor(options: RunnerDoorOptions) {
    this.#options = options;
    options.replicas?.onChange(() => this.#replicasChanged());
  }

  get ended(): Promise<void> {
    return this.#end.promise;
  }

  connect(): void {
    const { url, environment, token, log } = this.#options;
    const address = `${url.replace(/^http/, "ws")}/runners/${environment}/connect`;
    // Node's own WebSocket takes headers: the token is neither in the address nor in a protocol's name, which are logged.
    const init = { protocols: [RUNNER_SUBPROTOCOL], headers: { authorization: `Bearer ${token}` } };
    const socket = new WebSocket(address, init);
    this.#socket = socket;
    const slow = setTimeout(() => this.#broken(socket, "no welcome"), ANSWER_WITHIN_MS);
    this.#slowTimer = slow;
    socket.addEventListener("open", () => {
      this.#connectedAt = performance.now();
      this.#pingedAt = undefined;
      socket.send(packParcels([{ head: this.#hello(), body: "" }]));
      this.#beat();
    });
    socket.addEventListener("message", ({ data }) => this.#received(socket, data));
    let isAsking = false;
    socket.addEventListener("error", () => {
      // The platform's word for its refusal is not told by the WebSocket: a plain request hears it.
      clearTimeout(slow);
      if (this.#socket === socket && !this.#isWelcome) {
        isAsking = true;
        this.#askWhy().then(
          (why) => (why === undefined ? this.#broken(socket, "it cannot be reached") : this.#finish(why)),
          (error: unknown) => log(`runner: ${String(error)}`),
        );
      } else this.#broken(socket, "the connection broke");
    });
    socket.addEventListener("close", ({ code, reason }) => {
      clearTimeout(slow);
      if (this.#socket !== socket) return;
      const rule = Object.values(CLOSE).find((one) => one.code === code);
      if (code === CLOSE.drained.code) return this.#finish();
      if (rule?.retry === false) {
        const outdated = code === CLOSE.outdated.code;
        return this.#finish(
          new SwitchyardError(
            outdated ? "host_outdated" : code === CLOSE.refused.code ? "bad_request" : "entity_exists",
            `Cannot run for "${environment}": the platform closed the connection; it says: ${reason}`,
            {
              hint: outdated
                ? "npm i -g switchyard@latest"
                : code === CLOSE.name_taken.code
                  ? `--name NAME; opctl runner list --environment ${environment} shows the names that are taken`
                  : `opctl runner list --environment ${environment} shows the runners`,
            },
          ),
        );
      }
      // Opened and lost before the welcome, there may be no error: only one that is being asked about waits for the answer.
      if (!isAsking) this.#broken(socket, reason === "" ? `it closed (${code})` : reason);
    });
  }

  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#options.replicas?.drain();
    if (this.#isWelcome) this.#send({ type: "drain" });
    else if (this.#running.size === 0) this.#finish();
  }

  close(): void {
    this.#finish();
  }

  #hello(): FromRunner {
    const { version, name, slots, capabilities, runs, protocol = RUNNER_PROTOCOL } = this.#options;
    return {
      type: "hello",
      protocol,
      version,
      name,
      instance: this.#instance,
      slots,
      capabilities,
      runs: [...runs],
      running: [...this.#running.values()].map(jobOf).slice(0, MOST_JOBS),
      finished: this.#kept.jobs(performance.now()).map(jobOf),
    };
  }

  #received(socket: WebSocket, data: unknown): void {
    if (this.#socket !== socket || typeof data !== "string") return;
    if (data === PONG) {
      this.#pingedAt = undefined;
      return;
    }
    let parcels: Parcel<ToRunner>[];
    try {
      parcels = unpackParcels<ToRunner>(data, ToRunnerSchema);
    } catch (error) {
      return this.#broken(socket, `it sent what is no message: ${String(error)}`);
    }
    for (const { head, body } of parcels) this.#take(head, body);
  }

  #take(head: ToRunner, body: string): void {
    const { log, environment } = this.#options;
    switch (head.type) {
      case "welcome":
        clearTimeout(this.#slowTimer);
        this.#isWelcome = true;
        log(`runner: connected to ${environment}`);
        if (this.#draining) this.#send({ type: "drain" });
        this.#tellReplicas();
        return;
      case "run":
        return this.#run(head, body);
      case "cancel":
        return this.#running.get(head.fence)?.cancellation.request();
      case "claim": {
        const kept = this.#kept.get(head.fence);
        if (kept !== undefined) this.#send({ type: "result", fence: head.fence }, kept.reply);
        return;
      }
      case "keep":
        return;
      case "refused":
        log(`runner: the result of ${this.#kept.get(head.fence)?.execution ?? head.fence} was refused: ${head.reason}`);
        this.#kept.delete(head.fence);
        return;
      case "ack":
        this.#kept.delete(head.fence);
        return;
    }
  }

  #run(given: RunnerJob, order: string): void {
    const { fence } = given;
    if (this.#running.has(fence) || this.#kept.get(fence) !== undefined) return;
    const cancellation = new Cancellation();
    const job = jobOf(given);
    this.#running.set(fence, { ...job, cancellation });
    // The idle beat is slow: the lease of work is shorter.
    if (this.#running.size === 1 && !this.#hasReplicas) this.#beat();
    this.#options.host
      .run(order, { cancellation })
      .catch((error: unknown) => {
        const detail = `Cannot run it on "${this.#options.name}": the host must answer; it threw ${String(error)}`;
        return joinFrame({ ok: false, error: { code: "executor_lost", detail }, retry: { kind: "may" }, logs: [] }, "");
      })
      .then((reply) => this.#ran(job, reply))
      .catch((error: unknown) => this.#options.log(`runner: ${String(error)}`));
  }

  #ran(job: RunnerJob, reply: string): void {
    this.#running.delete(job.fence);
    this.#kept.keep(job, reply, performance.now());
    this.#send({ type: "result", fence: job.fence }, reply);
    if (this.#draining && !this.#isOpen() && this.#running.size === 0) this.#finish();
  }

  /**
   * Messages of one turn go together. Without a connection they are dropped: the hello says what there is. After the hello
   * nothing may be dropped, so what ends before the welcome is sent as well.
   */
  #send(head: FromRunner, body = ""): void {
    if (!this.#isOpen()) return;
    this.#outbox.push({ head, body });
    if (this.#outbox.length === 1) setImmediate(() => this.#flush());
  }

  /** Changes of one turn are told together. */
  #replicasChanged(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      this.#tellReplicas();
    });
  }

  /** All that there are, each time: what was lost on the way is said again. Nothing is said of none, after that was said. */
  #tellReplicas(): void {
    clearTimeout(this.#replicasTimer);
    const { replicas } = this.#options;
    if (this.#over || replicas === undefined) return;
    const reports = replicas.reports();
    const had = this.#hasReplicas;
    this.#hasReplicas = reports.some(({ status }) => status !== "ended");
    if (this.#hasReplicas && !had) this.#beat();
    if (this.#hasReplicas) this.#replicasTimer = setTimeout(() => this.#tellReplicas(), REPLICAS_EVERY_MS);
    if (!this.#isWelcome || !this.#isOpen()) return;
    this.#send({ type: "replicas" }, JSON.stringify(reports));
    // What the pool has not heard when the connection breaks now, its next look at what there is will show.
    replicas.told(reports);
  }

  #isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #flush(): void {
    const parcels = this.#outbox;
    this.#outbox = [];
    if (this.#socket === undefined || !this.#isOpen()) return;
    // One message of the socket takes so much and no more.
    let together: Parcel<FromRunner>[] = [];
    let chars = 0;
    for (const parcel of parcels) {
      if (together.length > 0 && chars + parcel.body.length > TOGETHER_CHARS) {
        this.#socket.send(packParcels(together));
        [together, chars] = [[], 0];
      }
      together.push(parcel);
      chars += parcel.body.length;
    }
    if (together.length > 0) this.#socket.send(packParcels(together));
  }

  #beat(): void {
    clearTimeout(this.#beatTimer);
    const socket = this.#socket;
    if (this.#over || socket?.readyState !== WebSocket.OPEN) return;
    const now = performance.now();
    if (this.#pingedAt !== undefined && now - this.#pingedAt >= ANSWER_WITHIN_MS) {
      return this.#broken(socket, `no sign of life for ${Math.round(now - this.#pingedAt)} ms`);
    }
    this.#pingedAt ??= now;
    socket.send(PING);
    const isQuick = this.#running.size > 0 || this.#hasReplicas || this.#pingedAt !== now;
    this.#beatTimer = setTimeout(() => this.#beat(), isQuick ? BEAT_BUSY_MS : BEAT_IDLE_MS);
  }

  /** Tries again after a wait; what runs goes on meanwhile. */
  #broken(socket: WebSocket, why: string): void {
    if (this.#over || this.#socket !== socket) return;
    this.#leave(socket);
    if (this.#draining && this.#running.size === 0) return this.#finish();
    if (performance.now() - this.#connectedAt > STEADY_MS && this.#connectedAt > 0) this.#tries = 0;
    this.#connectedAt = 0;
    const { first, most } = this.#options.backoffMs ?? { first: 250, most: 15_000 };
    const waitMs = Math.round(Math.min(most, first * 2 ** Math.min(this.#tries, 10)) * (0.5 + Math.random() / 2));
    this.#tries += 1;
    this.#options.log(`runner: ${why}; trying again in ${waitMs} ms`);
    clearTimeout(this.#againTimer);
    this.#againTimer = setTimeout(() => this.connect(), waitMs);
  }

  #leave(socket: WebSocket): void {
    this.#socket = undefined;
    this.#isWelcome = false;
    this.#outbox = [];
    clearTimeout(this.#beatTimer);
    clearTimeout(this.#slowTimer);
    if (socket.readyState === WebSocket.CONNECTING || socket.readyState === WebSocket.OPEN) socket.close();
  }

  /** The platform's reason for refusing the connection; undefined when it is not to be had, or may pass. */
  async #askWhy(): Promise<SwitchyardError | undefined> {
    const { url, environment, token } = this.#options;
    try {
      const response = await fetch(`${url}/runners/${environment}/connect`, {
        headers: { authorization: `Bearer ${token}` },
        redirect: "manual",
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      const problem = (await response.json()) as { code?: string; detail?: string; hint?: string };
      // 426 says that all is well but the upgrade; a token may be renewed only by a person.
      if (![400, 401, 403, 404, 409, 422].includes(response.status)) {
        return undefined;
      }
      const { code, detail = `the platform answered ${response.status}`, hint } = problem;
      return new SwitchyardError(isErrorCode(code) ? code : "forbidden", detail, hint === undefined ? {} : { hint });
    } catch {
      return undefined;
    }
  }

  #finish(error?: SwitchyardError): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#againTimer);
    clearTimeout(this.#replicasTimer);
    for (const { cancellation } of this.#running.values()) cancellation.request();
    if (this.#socket !== undefined) this.#leave(this.#socket);
    if (error === undefined) this.#end.resolve();
    else this.#end.reject(error);
  }
}

function jobOf({ fence, execution, attempt, item, beside }: RunnerJob): RunnerJob {
  return { fence, execution, attempt, item, ...(beside === true ? { beside } : {}) };
}
