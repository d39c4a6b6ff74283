/** The settings of a service that only make sense together: one that nothing would act on is refused, never stored and ignored. */
import { canonicalJson } from "../../core/hash.ts";
import { REPLICAS_DEFAULT, STEP_DEFAULTS, sortOf, STOP_MS_DEFAULT, type ServiceRow } from "../../model/services.ts";
import { refuse } from "./rules.ts";

/** What can be said without reading another row. Throws setting_unsupported or definition_invalid. */
export function checkServiceSettings(service: ServiceRow): void {
  const { name, replicas } = service;
  if (replicas.min > replicas.max) {
    throw refuse(
      "definition_invalid",
      "/replicas/min",
      `Cannot store the service "${name}": replicas.min must be at most replicas.max, ${replicas.max}; it is ${replicas.min}`,
    );
  }
  checkVariables(service);
  checkRun(service);
  const sort = sortOf(service);
  if (sort === null) checkIdle(service, "what its own operations start, of which they are told nothing");
  if (sort === "address") checkIdle(service, "what runs already, which nobody here starts or stops");
}

function checkVariables({ name, variables, secrets }: ServiceRow): void {
  for (const [field, given] of Object.entries({ variables, secrets })) {
    for (const variable of Object.keys(given)) {
      const own = variable === "PORT" || variable.startsWith("SWITCHYARD_");
      const twice = field === "variables" && Object.hasOwn(secrets, variable);
      if (!own && !twice) continue;
      throw refuse(
        "definition_invalid",
        `/${field}/${variable}`,
        own
          ? `Cannot store the service "${name}": PORT and what begins with SWITCHYARD_ are set by the platform; ${variable} is one of these`
          : `Cannot store the service "${name}": each variable must be in variables or in secrets; ${variable} is in both`,
        variable === "PORT" ? "port says which it must be; null: any that is free" : undefined,
      );
    }
  }
}

function checkRun(service: ServiceRow): void {
  const { name, operations } = service;
  const sort = sortOf(service);
  const isOwn = { start: operations.start !== STEP_DEFAULTS.start, stop: operations.stop !== STEP_DEFAULTS.stop };
  if (sort === null && !(isOwn.start && isOwn.stop)) {
    throw refuse(
      "definition_invalid",
      "/run",
      `Cannot store the service "${name}": run may be null only where operations of the team's own start and stop it; they are ${operations.start} and ${operations.stop}`,
      `-s run='{"process": {"command": [...]}}', or operations with start and stop`,
    );
  }
  if (sort !== "address") return;
  checkAddress(service);
  for (const step of ["start", "stop"] as const) {
    if (isOwn[step])
      throw idle(service, `operations/${step}`, {
        of: "what runs already, which nobody here starts or stops",
        usual: STEP_DEFAULTS[step],
        is: operations[step],
      });
  }
  const { min, max } = service.replicas;
  if (min > 1 || (max !== 1 && max !== REPLICAS_DEFAULT.max)) {
    throw refuse(
      "setting_unsupported",
      "/replicas",
      `Cannot store the service "${name}": what runs already is one replica, however many answer at its address, so replicas must be left out; it is ${JSON.stringify(service.replicas)}`,
    );
  }
}

/** Rows are read by many: what a service is asked with is its environment's. */
function checkAddress({ name, run }: ServiceRow): void {
  const url = run !== null && "address" in run ? URL.parse(run.address) : null;
  if (url !== null && url.username === "" && url.password === "" && url.search === "" && url.hash === "") return;
  throw refuse(
    "definition_invalid",
    "/run/address",
    `Cannot store the service "${name}": its address must be a URL without a user, a password, a query or a fragment; it is not`,
    "credentials are secrets of its environment: opctl edit environment NAME",
  );
}

/** Of what the platform does not start, nothing is told to whoever does. */
function checkIdle(service: ServiceRow, of: string): void {
  const usual = { variables: {}, secrets: {}, port: null, requires: {}, stop_ms: STOP_MS_DEFAULT };
  for (const [field, value] of Object.entries(usual)) {
    const is = service[field as keyof typeof usual];
    if (canonicalJson(is) !== canonicalJson(value)) throw idle(service, field, { of, usual: value, is });
  }
}

function idle({ name }: ServiceRow, field: string, { of, usual, is }: { of: string; usual: unknown; is: unknown }) {
  const shown = field === "secrets" || field === "variables" ? "set" : JSON.stringify(is);
  return refuse(
    "setting_unsupported",
    `/${field}`,
    `Cannot store the service "${name}": ${field.replace("/", ".")} has no effect on ${of}, so it must be ${JSON.stringify(usual)}; it is ${shown}`,
  );
}
