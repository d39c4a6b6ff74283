/** Services on runners: which runner gets a replica, and how it is started, stopped, looked at and asked there. */
import { fromErrorData, SwitchyardError } from "../../core/errors.ts";
import { machineAddressOf } from "../../model/destination.ts";
import { lacking, type EnvironmentHandle } from "../../model/environment.ts";
import { startHint, type RunnerView } from "../../model/runner-protocol.ts";
import type { Exchanged } from "../http/exchange.ts";
import type { ServiceHost, StartOrder } from "../service-host.ts";
import { reportOf } from "../service-place.ts";
import { notSent, sendToService, urlUnder } from "../service-send.ts";
import { configOf } from "./_config.ts";
import { exchangedOf, orderFor, readExchange, readOutput, readReports } from "./_replica-orders.ts";
import type { RunnerPorts } from "./runner.ts";

/** Beside the time that its work may take: the way there and back. */
const WAY_MS = 5_000;
const LOOK_MS = 10_000;
/** A placing whose start never comes is forgotten. */
const PLACED_MS = 30_000;

type Placed = { environment: string; runner: string; service: string; at: number };
type Put = Parameters<typeof orderFor>[0];

export function runnerServices(ports: RunnerPorts): Required<ServiceHost> {
  /** By replica: the runner does not have it yet, so that no status counts it. */
  const placed = new Map<string, Placed>();

  const ask = async (put: Put): Promise<unknown> => {
    const answer = await ports.pool(put.environment.name).run(orderFor(put));
    if (typeof answer !== "string") {
      if (answer.ok) throw new TypeError("a pool answers replies or failures");
      throw fromErrorData(answer.error);
    }
    const read = readOutput(answer);
    if (!read.ok) throw fromErrorData(read.error);
    return read.output;
  };
  const place = async (order: Omit<StartOrder, "place">, environment: EnvironmentHandle): Promise<string> => {
    const { service, replica } = order;
    const { runners } = await ports.pool(environment.name).status();
    const fitting = runners.filter((runner) => whyNot(runner, order, environment) === undefined);
    if (fitting.length === 0) throw nobody(order, environment, runners);
    for (const [name, { at }] of placed) if (ports.now() - at > PLACED_MS) placed.delete(name);
    const onTheWay = (runner: RunnerView, of?: string) =>
      [...placed.values()].filter(
        (one) =>
          one.environment === environment.name &&
          one.runner === runner.name &&
          (of === undefined || one.service === of),
      ).length;
    const load = (runner: RunnerView): [number, number] => [
      (runner.services[service] ?? 0) + onTheWay(runner, service),
      runner.replicas + onTheWay(runner),
    ];
    const [best] = fitting.toSorted((a, b) => {
      const [mine, all] = load(a);
      const [others, total] = load(b);
      return mine - others || all - total || (a.name < b.name ? -1 : 1);
    });
    const { name } = best ?? { name: "" };
    placed.set(replica, { environment: environment.name, runner: name, service, at: ports.now() });
    return name;
  };

  return {
    unit: "replica",
    runs: ["process", "container"],
    placedBy: [],
    place,
    async start(order, environment) {
      const { service, replica, revision, spec } = order;
      const runner = order.place === "" ? await place(order, environment) : order.place;
      try {
        const output = await ask({
          ...step(service),
          environment,
          place: runner,
          work: { do: "start", service, replica, revision, spec },
          timeoutMs: spec.health.start_ms + WAY_MS,
        });
        const [report] = readReports([output], runner);
        if (report === undefined) throw new TypeError("one report is read from one");
        return report;
      } finally {
        placed.delete(replica);
      }
    },
    async stop({ service, replica, place: runner, graceMs }, environment) {
      try {
        await ask({
          ...step(service),
          environment,
          place: runner,
          work: { do: "stop", replica, grace_ms: graceMs },
          timeoutMs: graceMs + WAY_MS,
        });
      } catch (thrown) {
        // Its runner is gone, and it with it: one that comes back with it says so.
        if (thrown instanceof SwitchyardError && thrown.code === "environment_unavailable") return;
        throw thrown;
      }
    },
    async observe({ service, replicas }, environment) {
      const { runners } = await ports.pool(environment.name).status();
      const there = runners.filter(({ runs }) => runs.includes("replica")).map(({ name }) => name);
      // One that is named and not there may be on its way back.
      const names = new Set([...there, ...replicas.map((replica) => replica.place).filter((name) => name !== "")]);
      const looks = [...names].map(async (name) => {
        try {
          const work = { do: "observe", service } as const;
          const output = await ask({ ...step(service), environment, place: name, work, timeoutMs: LOOK_MS });
          const reports = readReports(output, name);
          const has = new Set(reports.map(({ replica }) => replica));
          // The runner itself says so: it may be another of the same name, as after a start of the machine.
          const gone = replicas
            .filter(({ replica, place: at }) => at === name && !has.has(replica))
            .map(({ replica }) =>
              reportOf({ replica, service, place: name, status: "ended", ended: `${name} has it no more` }),
            );
          return reports.concat(gone);
        } catch (thrown) {
          // It is gone, with what it had. Of one that is there and does not answer, nothing is known: nothing is said of any then.
          if (thrown instanceof SwitchyardError && thrown.code === "environment_unavailable") return [];
          throw thrown;
        }
      });
      return (await Promise.all(looks)).flat();
    },
    mayReach,
    async send(to, request, environment): Promise<Exchanged> {
      const { address } = to;
      if (to.via === "direct" && address !== null) {
        if (!mayReach(address, environment)) return notSent(`its environment's service_hosts must list ${address}`);
        return sendToService(request, () => ({ url: urlUnder(address, request.path), send: ports.fetchOn("private") }));
      }
      const { method, path, headers, body, timeoutMs, cancellation, execution, attempt } = request;
      if (cancellation?.requested === true) return notSent("nobody wants the result any more");
      if (!path.startsWith("/")) return notSent(`a path must begin with /; it is ${path.slice(0, 200)}`);
      const order = orderFor({
        environment,
        service: to.service,
        place: to.place,
        work: { do: "request", replica: to.replica, method, path, headers },
        ...(body === undefined ? {} : { body }),
        timeoutMs,
        execution,
        attempt,
        traceparent: headers["traceparent"],
      });
      const pool = ports.pool(environment.name);
      const takeBack = cancellation?.onRequest(() => void pool.cancel(order.id).catch(() => undefined));
      try {
        const answer = await pool.run(order);
        if (typeof answer === "string") return readExchange(answer);
        if (answer.ok) return { kind: "broken_off", reason: "its pool must answer a reply; it does not" };
        return exchangedOf(answer.error, { unstarted: answer.unstarted === true });
      } catch (thrown) {
        // The pool itself broke off: it may have handed it on.
        return { kind: "broken_off", reason: thrown instanceof Error ? thrown.message : String(thrown) };
      } finally {
        takeBack?.();
      }
    },
  };
}

function step(service: string) {
  return { service, execution: `service:${service}`, attempt: 1 };
}

/** A runner names them, and must not have requests sent to whatever it likes. */
function mayReach(address: string, environment: EnvironmentHandle): boolean {
  const of = machineAddressOf(address);
  const { service_hosts: listed } = configOf(environment);
  if (of === undefined || listed === undefined) return of?.isLoopback === false;
  return listed.some((ip) => machineAddressOf(`http://${ip.includes(":") ? `[${ip}]` : ip}:1`)?.host === of.host);
}

/** Why the runner cannot take one more, as a sentence's end. */
function whyNot(runner: RunnerView, { spec }: Omit<StartOrder, "place">, { capabilities }: EnvironmentHandle) {
  if (runner.state !== "connected") return runner.state === "draining" ? "it is draining" : "its connection is lost";
  const sort = spec.run !== null && "container" in spec.run ? "container" : "process";
  if (!runner.runs.includes("replica") || !runner.runs.includes(sort)) {
    return `it does not run a ${sort} (its --allow says ${runner.runs.filter((one) => one !== "replica").join(", ") || "nothing"})`;
  }
  return lacking({ ...capabilities, ...runner.capabilities }, spec.requires);
}

function nobody(
  order: Omit<StartOrder, "place">,
  environment: EnvironmentHandle,
  runners: readonly RunnerView[],
): SwitchyardError {
  const why =
    runners.length === 0
      ? "no runner is connected"
      : `none of the ${runners.length} there fits: ${runners
          .slice(0, 3)
          .map((runner) => `${runner.name}: ${whyNot(runner, order, environment)}`)
          .join("; ")}${runners.length > 3 ? ` (and ${runners.length - 3} more)` : ""}`;
  return new SwitchyardError(
    "environment_unavailable",
    `Cannot run "${order.service}" in "${environment.name}": a runner must take it; ${why}`,
    { hint: startHint(environment.name, { beside: runners.length > 0, allow: allowWord(order) }) },
  );
}

/** What a runner must be allowed to run it. */
function allowWord({ spec: { run } }: Pick<StartOrder, "spec">): string {
  if (run !== null && "process" in run) return `process:${run.process.command[0] ?? "…"}`;
  return run !== null && "container" in run ? `container:${run.container.image}` : "process:…";
}
