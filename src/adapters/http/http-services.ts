/**
 * Services that run already, behind an address: they are looked at and sent to, with the environment's network and credentials, and
 * never started or stopped. Replicas that a team's own operations have started come here too, each by the address that was reported.
 * A name that leads to several machines is one replica.
 */
import { SwitchyardError } from "../../core/errors.ts";
import type { EnvironmentHandle } from "../../model/environment.ts";
import { HEALTH_DEFAULTS, sortOf, type ReplicaSpec } from "../../model/services.ts";
import type { ReplicaRef, ServiceHost } from "../service-host.ts";
import { lookUntil, reportOf, type Clock } from "../service-place.ts";
import { notSent, sendToService, urlUnder } from "../service-send.ts";
import { unwellness } from "./health.ts";
import { serviceUrl, type HttpPlace } from "./http-call.ts";

/** While it is waited for: it may be healthy sooner than the next regular look. */
const START_LOOK_MS = 1_000;
/** What the one replica is called where nobody has named it. */
const UNNAMED = "address";

export function httpServices(
  placeOf: (environment: EnvironmentHandle) => Promise<HttpPlace>,
  clock: Clock,
): ServiceHost {
  return {
    unit: "replica",
    runs: ["address"],

    async start({ service, replica, revision, spec }, environment) {
      const { run, health } = spec;
      if (run === null || !("address" in run)) {
        const detail = `Cannot run the service "${service}" in "${environment.name}": it must be at an address; it is ${sortOf(spec) ?? "nothing"}`;
        throw new SwitchyardError("environment_misconfigured", detail);
      }
      const place = await placeOf(environment);
      const { address } = run;
      let reason = "";
      const healthy = await lookUntil(
        async () => {
          const unwell = await judge(place, { address, health });
          if (unwell === undefined) return true;
          reason = unwell;
          return undefined;
        },
        { withinMs: health.start_ms, everyMs: Math.min(health.interval_ms, START_LOOK_MS), clock },
      );
      if (healthy === true) return reportOf({ replica, service, revision, status: "ready", address });
      const ended = `it was not healthy within ${health.start_ms} ms: ${reason}`;
      return reportOf({ replica, service, revision, status: "ended", address, ended });
    },

    async stop() {
      // It is not ours.
    },

    async observe({ service, run, replicas, health = HEALTH_DEFAULTS }, environment) {
      const place = await placeOf(environment);
      const address = run !== null && "address" in run ? run.address : null;
      const unnamed: ReplicaRef[] = address === null ? [] : [{ service, replica: UNNAMED, place: "", address }];
      const looked = (replicas.length === 0 ? unnamed : replicas).map(async (ref) => {
        const where = address ?? ref.address;
        // One that a team's operation runs somewhere of which it has not said where.
        if (where === null) return [];
        const unwell = await judge(place, { address: where, health });
        const status = unwell === undefined ? ("ready" as const) : ("unready" as const);
        const lines = unwell === undefined ? [] : [unwell];
        return [reportOf({ replica: ref.replica, service, place: ref.place, status, address: where, lines })];
      });
      return (await Promise.all(looked)).flat();
    },

    async send({ address }, request, environment) {
      if (address === null) return notSent("where it is, is not known");
      return sendToService(request, async () => {
        const place = await placeOf(environment);
        const { url, isTrusted } = serviceUrl(urlUnder(address, request.path), place);
        const { send, authorize } = place;
        return { url, isTrusted, send, ...(authorize === undefined ? {} : { authorize }) };
      });
    },
  };
}

/** Throws where the environment's credentials are not for that address. */
async function judge(
  place: HttpPlace,
  { address, health }: { address: string; health: ReplicaSpec["health"] },
): Promise<string | undefined> {
  const { send, authorize } = place;
  const { isTrusted } = serviceUrl(address, place);
  return unwellness(address, { health, send, authorize, isTrusted });
}
