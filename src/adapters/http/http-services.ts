/**
 * Services that run already, behind an address: they are looked at and sent to, with the environment's network and credentials, and
 * never started or stopped. Replicas that a team's own operations have started come here too, each by the address that was reported.
 * A name that leads to several machines is one replica.
 */
import { SwitchyardError } from "../../core/errors.ts";
import type { EnvironmentHandle } from "../../model/environment.ts";
import { HEALTH_DEFAULTS, type ReplicaSpec } from "../../model/services.ts";
import type { ReplicaRef, ServiceHost } from "../service-host.ts";
import { errorOf, lookUntil, reportOf, type Clock } from "../service-place.ts";
import { notSent, sendToService, urlUnder } from "../service-send.ts";
import { sendAuthorized, serviceUrl, type HttpPlace } from "./http-call.ts";
import { untilEnd } from "./until-end.ts";

const MAX_HEALTH_BYTES = 1024 * 1024;
/** While it is waited for: it may be healthy sooner than the next regular look. */
const START_LOOK_MS = 1_000;
/** What the one replica is called where nobody has named it. */
const UNNAMED = "address";

type Health = ReplicaSpec["health"];

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
        const [sort = "nothing"] = Object.keys(run ?? {});
        const detail = `Cannot run the service "${service}" in "${environment.name}": it must be at an address; it is ${sort}`;
        throw new SwitchyardError("environment_misconfigured", detail);
      }
      const place = await placeOf(environment);
      const { address } = run;
      let reason = "";
      const healthy = await lookUntil(
        async () => {
          const unwell = await unwellness(place, { address, health });
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
        const unwell = await unwellness(place, { address: where, health });
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

/** undefined: it is healthy. Throws what a person must mend: credentials that are refused, an address that may not have them. */
async function unwellness(
  place: HttpPlace,
  { address, health }: { address: string; health: Health },
): Promise<string | undefined> {
  const { url, isTrusted } = serviceUrl(urlUnder(address, health.path ?? "/"), place);
  const came = await untilEnd(
    { timeoutMs: health.timeout_ms },
    (signal) =>
      sendAuthorized(place, { url, method: "GET", headers: {}, signal, maxAnswerBytes: MAX_HEALTH_BYTES }, isTrusted),
    () => ({ kind: "not_sent", reason: `no answer within ${health.timeout_ms} ms` }) as const,
  );
  if (came.kind === "refused") throw errorOf(came.outcome);
  if (came.kind === "not_sent" || came.kind === "broken_off") return `${url}: ${came.reason}`;
  if (came.kind !== "answer" || health.path === null) return undefined;
  if (came.status >= 200 && came.status < 400) return undefined;
  return `GET ${health.path} answers status ${came.status}`;
}
