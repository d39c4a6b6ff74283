/** Services as the rest of the platform uses them: their objects behind the built-in functions, their steps, told of what changes. */
import type { ServiceHost } from "../adapters/service-host.ts";
import { fromErrorData, SwitchyardError, type ErrorData } from "../core/errors.ts";
import type { EnvironmentHandle } from "../model/environment.ts";
import type { ExposureRow, ServiceRow } from "../model/services.ts";
import type { TriggerHandle } from "../model/triggers.ts";
import { answered, told } from "../objects/reach.ts";
import type { ServicePorts, ServiceStatusView } from "../registry/builtins/service-functions.ts";
import type { Registry } from "../registry/registry.ts";
import type { StoredEvent } from "./_kept.ts";
import { eventView, type ObjectStatus } from "./_status.ts";
import type { Command, LeasedReplica, StepOrder } from "./messages.ts";
import type { ServiceWatch } from "./port.ts";

type Row = TriggerHandle<"service">;
type Change = { kind: string; name: string };

export type Services = ServicePorts["services"] &
  ServiceWatch & {
    /** Stops one whose row is gone. */
    stopGone(order: StepOrder & { do: "stop" }): Promise<void>;
    /** Rows were written. Resolves when the objects know, or cannot be told: they look by themselves when a request finds nothing ready. */
    tell(changes: readonly Change[]): Promise<void>;
    /** After a start of the platform: services that are to run though nobody asks for them. */
    look(): Promise<void>;
  };

/** As much of a service's object as is used here. Texts are JSON, see messages.ts. */
export type ServiceStub = {
  status(): Promise<string | undefined>;
  command(text: string): Promise<string>;
  watch(after: number, waitMs: number): Promise<string>;
  placed(replica: string, at: { environment: string; place: string }): Promise<boolean>;
  whereabouts(environment: string, replicas: readonly string[]): Promise<LeasedReplica[]>;
  changed(): Promise<void>;
};

export type ServicesOptions = {
  object: (service: string) => ServiceStub;
  registry: Pick<Registry, "triggers" | "exposures" | "environment" | "serviceSecrets" | "stateMachine">;
  host: (adapter: string) => ServiceHost | undefined;
};

export function createServices({ object, registry, host }: ServicesOptions): Services {
  const status = async (row: Row): Promise<ServiceStatusView> => {
    const text = await answered(the(row.name), async () => object(row.name).status());
    if (text === undefined) throw notThere(row.name);
    const { environments, ...view } = JSON.parse(text) as ObjectStatus;
    const exposures = (await registry.exposures()).filter(({ service }) => service === row.name);
    const known = { replicas: await reachable(view.replicas, environments), environments };
    return { ...view, exposures: exposures.map((exposure) => exposureView(exposure, known)) };
  };

  /** Without the addresses that nothing may be sent to. */
  const reachable = (replicas: ObjectStatus["replicas"], environments: ObjectStatus["environments"]) =>
    Promise.all(
      replicas.map(async (replica) => {
        const at = environments[replica.replica];
        const environment = at === undefined ? undefined : await registry.environment(at.name, at.revision);
        if (environment === undefined || replica.address === null) return replica;
        const isReached = host(environment.adapter)?.mayReach?.(replica.address, environment) ?? true;
        return isReached ? replica : { ...replica, address: null };
      }),
    );

  /** Whoever asks names them; where they are is not for them to say, for it is acted on with the environment's own rights. */
  const whereabouts = (service: string, { environment, replicas }: { environment: string; replicas: string[] }) =>
    answered(the(service), async () => object(service).whereabouts(environment, replicas));

  /** `revision` undefined: as today's row says. */
  const placeOf = async (
    name: string,
    revision?: number,
  ): Promise<{ environment: EnvironmentHandle; services: ServiceHost }> => {
    const environment = await registry.environment(name, revision);
    const services = environment === undefined ? undefined : host(environment.adapter);
    if (environment !== undefined && services !== undefined) return { environment, services };
    throw new SwitchyardError(
      "environment_misconfigured",
      `Cannot run services in "${name}": it must be an environment whose adapter runs them; ${environment === undefined ? "there is none of that name" : `${environment.adapter} does not`}`,
    );
  };

  const stopIn = async (
    where: string,
    row: Pick<ServiceRow, "name" | "stop_ms">,
    step: { replica: string; place: string; address: string | null; isStray?: true },
  ): Promise<void> => {
    const { replica, place, address } = step;
    const service = row.name;
    // A stray's controller does not know it, and may never have been: to ask would leave an object behind.
    const [known] = step.isStray ? [] : await whereabouts(service, { environment: where, replicas: [replica] });
    const { environment, services } = await placeOf(where, known?.environmentRevision);
    await services.stop({ service, replica, place, address, graceMs: row.stop_ms }, environment);
  };

  return {
    status,

    async command(row, command: Command) {
      const text = JSON.stringify(command);
      const answer = await answered(the(row.name), async () => object(row.name).command(text));
      const { error } = JSON.parse(answer) as { error?: ErrorData };
      if (error !== undefined) throw fromErrorData(error);
      return status(row);
    },

    async watch(name, { after, waitMs }) {
      const text = await answered(the(name), async () => object(name).watch(after, waitMs));
      return (JSON.parse(text) as StoredEvent[]).map(eventView);
    },

    async start(row, { replica, revision, count, place: known, environment: where }) {
      const { name: service, run, port, health, requires, stop_ms } = row;
      const there = where === "" ? row.environment : where;
      const [is] = await whereabouts(service, { environment: there, replicas: [replica] });
      const { environment, services } = await placeOf(there, is?.environmentRevision);
      const wanted = async (place: string): Promise<void> => {
        const at = { environment: environment.name, place };
        if (await answered(the(service), async () => object(service).placed(replica, at))) return;
        throw new SwitchyardError(
          "command_refused",
          `Cannot start the replica "${replica}" of the service "${service}": its controller must want it there; it does not`,
          { hint: `opctl service deploy ${service}` },
        );
      };
      const variables = { ...row.variables, ...(await registry.serviceSecrets(row)) };
      const secrets = Object.keys(row.secrets);
      const spec = { run, variables, secrets, port, health, requires, stop_ms };
      const order = { service, replica, revision, count, spec };
      // Written before anything is started there: whoever comes after knows where to look.
      const place = known === "" ? ((await services.place?.(order, environment)) ?? "") : known;
      await wanted(place);
      return services.start({ ...order, place }, environment).then(mutable);
    },

    async stop(row, { environment, ...step }) {
      await stopIn(environment === "" ? row.environment : environment, row, step);
    },

    async observe(row, { replicas: asked, environment: where }) {
      const { name: service, run, health } = row;
      const there = where === "" ? row.environment : where;
      const look = async (replicas: readonly LeasedReplica[], revision?: number) => {
        const { environment, services } = await placeOf(there, revision);
        const refs = replicas.map(({ replica, place, address }) => ({ service, replica, place, address }));
        return services.observe({ service, run, health, replicas: refs }, environment);
      };
      if (asked.length === 0) return there === row.environment ? (await look([])).map(mutable) : [];
      const at = await whereabouts(service, { environment: there, replicas: asked.map(({ replica }) => replica) });
      const places = Map.groupBy(at, ({ environmentRevision }) => environmentRevision);
      const looks = await Promise.all([...places].map(([revision, some]) => look(some, revision)));
      return looks.flat().map(mutable);
    },

    async stopGone({ environment, row, ...step }) {
      await stopIn(environment, row, step);
    },

    async tell(changes) {
      const of = (kind: string) => new Set(changes.filter((each) => each.kind === kind).map(({ name }) => name));
      const [names, machines, environments] = [of("service"), of("state_machine"), of("environment")];
      if (machines.size + environments.size > 0) {
        for (const row of await registry.triggers("service")) {
          if (machines.has(row.state_machine) || environments.has(row.environment)) names.add(row.name);
        }
      }
      await Promise.all([...names].map((name) => told("services", async () => object(name).changed())));
    },

    async look() {
      await told("services", async () => {
        for (const row of await registry.triggers("service")) {
          const machine = await registry.stateMachine(row.state_machine);
          if (row.active && machine?.states[machine.initial]?.replicas !== 0) await object(row.name).changed();
        }
      });
    },
  };
}

function the(name: string): string {
  return `the service "${name}"`;
}

function mutable<R extends { lines: readonly string[] }>(report: R): R & { lines: string[] } {
  return { ...report, lines: [...report.lines] };
}

function exposureView(
  { name, active, protocol, base_path, via }: ExposureRow,
  { replicas, environments }: Pick<ObjectStatus, "replicas" | "environments">,
): ServiceStatusView["exposures"][number] {
  const ways = replicas
    .filter(({ phase }) => phase === "ready")
    .map(({ replica, address, place }) => {
      const through = `through the environment "${environments[replica]?.name ?? ""}"${place === "" ? "" : ` on ${place}`}`;
      if (via === "environment") return `${replica}: ${through}`;
      if (address === null)
        return via === "direct" ? `${replica}: no way, for it has no address` : `${replica}: ${through}`;
      return `${replica}: directly, ${address}${base_path}${via === "auto" ? `; or ${through}` : ""}`;
    });
  return { name, protocol, base_path, via, ways: active ? ways : ["none: it is switched off"] };
}

function notThere(name: string): SwitchyardError {
  return new SwitchyardError(
    "entity_not_found",
    `Cannot find the service "${name}": it must be registered; there is none of that name`,
    { hint: "opctl get services" },
  );
}
