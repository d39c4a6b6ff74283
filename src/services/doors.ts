/**
 * The services of one isolate, as the adapter `service` enters them: exposure → service → a replica and the way to it. A door for
 * each service does the waiting (_door.ts).
 */
import { unstarted } from "../adapters/adapter.ts";
import type { Entered, ServicesPort } from "../adapters/service/port.ts";
import type { EnvironmentHandle } from "../model/environment.ts";
import type { ExposureRow, ServiceRow } from "../model/services.ts";
import type { Meter } from "../telemetry/meter.ts";
import { Door, type DoorPorts, type ServiceObjectPort } from "./_door.ts";

export type DoorsPorts = Omit<DoorPorts, "object"> & {
  /** Rows, from the registry's cache; undefined when there is none of that name. */
  exposure(name: string): Promise<ExposureRow | undefined>;
  service(name: string): Promise<Pick<ServiceRow, "max_waiting"> | undefined>;
  environment(name: string, revision: number): Promise<EnvironmentHandle | undefined>;
  object(service: string): ServiceObjectPort;
  meter?: () => Meter | undefined;
};

export function createDoors(ports: DoorsPorts): ServicesPort {
  const doors = new Map<string, Door>();
  const holder = crypto.randomUUID();

  function doorOf(service: string): Door {
    let door = doors.get(service);
    if (door === undefined) {
      const { now, later, background } = ports;
      // A stub belongs to the request that made it.
      const object: ServiceObjectPort = {
        acquire: async (text) => ports.object(service).acquire(text),
        report: async (text) => ports.object(service).report(text),
      };
      door = new Door(service, holder, { object, now, later, background });
      doors.set(service, door);
    }
    return door;
  }

  const enter: ServicesPort["enter"] = async (name, { waitMs, avoid, cancellation }) => {
    const until = ports.now() + waitMs;
    const exposure = await ports.exposure(name);
    if (exposure?.active !== true) {
      return notThere("exposure", name, exposure === undefined ? "registered" : "active");
    }
    const { service, via } = exposure;
    const row = await ports.service(service);
    if (row === undefined) {
      doors.delete(service);
      return notThere("service", service, "registered");
    }
    const taken = await doorOf(service).take({ via, avoid, until, maxWaiting: row.max_waiting, cancellation });
    ports.meter?.()?.count("service_requests", name, taken.ok ? (taken.isCold ? "cold" : "warm") : "refused");
    if (!taken.ok) return taken;
    const { replica, way, others, leave } = taken;
    let environment: EnvironmentHandle | undefined;
    try {
      environment = await ports.environment(replica.environment, replica.environmentRevision);
    } finally {
      if (environment === undefined) leave("cancelled");
    }
    if (environment === undefined) return notThere("environment", replica.environment, "registered");
    const { service: of, replica: called, place, address } = replica;
    return {
      ok: true,
      replica: { service: of, replica: called, place, address },
      via: way,
      environment,
      basePath: exposure.base_path,
      others,
      leave,
    } satisfies Entered;
  };
  return { enter };
}

function notThere(kind: "exposure" | "service" | "environment", name: string, rule: "registered" | "active") {
  return unstarted("no_environment", `Cannot reach the ${kind} "${name}": it must be ${rule}; it is not`, {
    hint: `opctl get ${kind}s`,
  });
}
