/** For tests: a pool and a runner with its replicas in one process. What passes between them is what their sockets carry. */
import { Cancellation } from "../../../src/core/cancellation.ts";
import { parseAllow } from "../../../src/host/allow.ts";
import { createHost } from "../../../src/host/core.node.ts";
import { Replicas, type ReplicasOptions } from "../../../src/host/replicas/replicas.node.ts";
import {
  packParcels,
  RUNNER_PROTOCOL,
  ToRunnerSchema,
  unpackParcels,
  FromRunnerSchema,
  type FromRunner,
  type RunnerPoolPort,
  type ToRunner,
} from "../../../src/model/runner-protocol.ts";
import type { PoolReport } from "../../../src/model/services.ts";
import { Pool, type Socket } from "../../../src/runners/pool.ts";

export type InProcess = {
  port: RunnerPoolPort;
  pool: Pool;
  /** What services were told. */
  told: ({ service: string } & PoolReport)[];
  connect(
    name: string,
    more?: Partial<ReplicasOptions> & { allow?: readonly string[] },
  ): { replicas: Replicas; leave(): void };
  close(): Promise<void>;
};

export function startInProcess(environment = "rack-1"): InProcess {
  const told: InProcess["told"] = [];
  const all: Replicas[] = [];
  const pool = new Pool({
    environment,
    incarnation: "tested",
    now: () => Date.now(),
    later: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    tellService: async (service, report) => void told.push({ service, ...report }),
  });
  return {
    pool,
    told,
    port: {
      run: (order) => pool.run(order),
      cancel: async (id) => pool.cancel(id),
      status: async () => pool.status(),
    },
    connect(name, { allow = ["process:*"], ...more } = {}) {
      const replicas = new Replicas({ place: name, log: () => undefined, ...more });
      all.push(replicas);
      const allowed = parseAllow(allow);
      const host = createHost({ runtime: "node", allow: allowed, slots: 1, replicas, log: () => undefined });
      const running = new Map<string, Cancellation>();
      const say = (head: FromRunner, body = ""): void => {
        const [parcel] = unpackParcels<FromRunner>(packParcels([{ head, body }]), FromRunnerSchema);
        if (parcel !== undefined) pool.received(socket, parcel);
      };
      const socket: Socket = {
        send(text) {
          for (const { head, body } of unpackParcels<ToRunner>(text, ToRunnerSchema)) {
            if (head.type === "cancel") running.get(head.fence)?.request();
            if (head.type !== "run") continue;
            const cancellation = new Cancellation();
            running.set(head.fence, cancellation);
            void host.run(body, { cancellation }).then((reply) => say({ type: "result", fence: head.fence }, reply));
          }
        },
        close: () => pool.closed(socket),
        attach: () => undefined,
        beatAt: () => Date.now(),
      };
      replicas.onChange(() => {
        const reports = replicas.reports();
        say({ type: "replicas" }, JSON.stringify(reports));
        replicas.told(reports);
      });
      say({
        type: "hello",
        protocol: RUNNER_PROTOCOL,
        version: "1",
        name,
        instance: `i-${name}`,
        slots: 1,
        capabilities: {},
        runs: ["process", "replica"],
        running: [],
        finished: [],
      });
      return { replicas, leave: () => pool.closed(socket) };
    },
    async close() {
      await Promise.all(all.map((replicas) => replicas.close(0)));
    },
  };
}
