/**
 * The adapter `azure-job`: each call is an execution of a Container Apps job that runs our host, or a container of the
 * team's, and reports by a signed callback (job.ts). Azure knows no idempotency token: an execution is found again by the
 * ticket's URL in its environment, so two starts of one ticket at the same moment would both run.
 * https://learn.microsoft.com/rest/api/containerapps/jobs
 */
import * as v from "valibot";
import { sha256 } from "../../core/hash.ts";
import type { Outcome } from "../../model/outcome.ts";
import { unstarted, type Adapter, type AdapterCall, type AdapterPorts, type EnvironmentHandle } from "../adapter.ts";
import { ApiRefusal, bodyOf, jsonApi, type JsonApi } from "../http/json-api.ts";
import { network, plainUrl } from "../http/settings.ts";
import { tokenCache } from "../http/tokens.ts";
import { runJob, type JobDriver, type JobOptions, type JobState } from "../job.ts";
import { checkJob, endedJob, jobVariables, notBegun, unsuitableWork, type JobNames } from "../job-place.ts";

const API_VERSION = "2025-07-01";
const word = v.pipe(v.string(), v.regex(/^[A-Za-z0-9()._-]{1,128}$/));

const ConfigSchema = v.strictObject({
  subscription: word,
  resource_group: word,
  job: word,
  /** The container that is told its job, where the job has several. */
  container: v.optional(word),
  /** That container is Switchyard's own host, so modules run in it. */
  host: v.optional(v.boolean(), true),
  tenant_id: word,
  client_id: word,
  /** Of another cloud than the public one. */
  endpoint: v.optional(plainUrl, "https://management.azure.com"),
  token_url: v.optional(plainUrl),
  network,
});
type Config = v.InferOutput<typeof ConfigSchema>;

type Container = Record<string, unknown> & { name?: string; image?: string; env?: { name?: string; value?: string }[] };
type Job = {
  properties?: {
    configuration?: {
      replicaRetryLimit?: number;
      manualTriggerConfig?: { parallelism?: number; replicaCompletionCount?: number };
    };
    template?: { containers?: Container[]; initContainers?: Container[] };
  };
};
type Execution = { name?: string; properties?: { status?: string; template?: { containers?: Container[] } } };

export function azureJobAdapter(ports: AdapterPorts, options: JobOptions = {}): Adapter {
  const tokens = tokenCache(() => ports.now());
  const open = (environment: EnvironmentHandle) => {
    const config = v.parse(ConfigSchema, environment.config);
    const send = ports.fetchOn(config.network);
    const { name } = environment;
    const authorize = async (how: { renew: boolean; signal?: AbortSignal }) => {
      const { client_secret: secret } = await environment.openSecrets();
      if (secret === undefined) {
        const detail = `Cannot call "${name}": it needs the secret client_secret; it is not set`;
        return { refused: unstarted("environment_refused", detail) };
      }
      const url = config.token_url ?? `https://login.microsoftonline.com/${config.tenant_id}/oauth2/v2.0/token`;
      const scope = `${config.endpoint}/.default`;
      const form = { grant_type: "client_credentials", client_id: config.client_id, client_secret: secret, scope };
      const key = await sha256(JSON.stringify([url, form]));
      const { renew, signal } = how;
      const sending = { send, renew, name, ...(signal === undefined ? {} : { signal }) };
      return await tokens.headers(key, sending, async () => ({ url, form, member: "access_token" }));
    };
    const api = jsonApi({ name, send, authorize }, () => ports.now());
    const { endpoint, subscription, resource_group: group, job } = config;
    const url = `${endpoint}/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.App/jobs/${job}`;
    return { config, api, url };
  };
  return {
    name: "azure-job",
    summary: "Executions of an Azure Container Apps job, that report by callback",
    config: ConfigSchema,
    secrets: { client_secret: { required: true, summary: "Of a client that may read and start the job" } },
    runs: ["module", "container"],
    async invoke(call): Promise<Outcome> {
      let driver: JobDriver;
      try {
        const { config, api, url } = open(call.environment);
        const job = bodyOf(await api<Job>("GET", withVersion(url)));
        const wrong = wrongWith(config, job);
        const refusal = unsuitableWork(call, config.host);
        if (refusal !== undefined) return refusal;
        if (wrong !== undefined) {
          const what = `"${call.operation.name}" in "${call.environment.name}"`;
          return unstarted("environment_misconfigured", `Cannot run ${what}: the job "${config.job}" must ${wrong}`);
        }
        driver = driverOf(call, { config, api, url, job });
      } catch (thrown) {
        return notBegun(thrown, call.environment.name, "Azure");
      }
      return runJob(call, driver, ports, options);
    },
    check: (environment) =>
      checkJob(ports, async () => {
        const { config, api, url } = open(environment);
        const job = bodyOf(await api<Job>("GET", withVersion(url)));
        const wrong = wrongWith(config, job);
        const facts = { image: containerOf(config, job)?.image ?? "" };
        return { missing: wrong === undefined ? [] : [`The job must ${wrong}`], facts };
      }),
  };
}

function driverOf(
  call: AdapterCall,
  { config, api, url, job }: { config: Config; api: JsonApi; url: string; job: Job },
): JobDriver {
  const { operation, environment } = call;
  const isModule = operation.implementation.kind === "module";
  const names = { operation: operation.name, environment: environment.name, isModule };
  const at = (handle: string) => `${url}/executions/${encodeURIComponent(handle)}`;
  return {
    async start(ticket) {
      const answer = await api<{ value?: Execution[] }>("GET", withVersion(`${url}/executions`));
      if ("refused" in answer) return answer.refused;
      const before = answer.body.value?.find(({ properties }) =>
        properties?.template?.containers?.some(({ env }) => env?.some(({ value }) => value === ticket.url)),
      );
      if (before?.name !== undefined) return { handle: before.name };
      const template = templateOf(call, config, job, jobVariables(call, ticket));
      const started = await api<Execution>("POST", withVersion(`${url}/start`), template);
      if ("refused" in started) return started.refused;
      // 202 may name nothing: asked again, it is found.
      if (started.body.name === undefined) throw new Error("Azure did not name the execution");
      return { handle: started.body.name };
    },
    async look(handle) {
      const answer = await api<Execution>("GET", withVersion(at(handle)));
      if (!("refused" in answer)) return stateOf(answer.body, names);
      if (answer.status !== 404) throw new ApiRefusal(answer.refused);
      return endedJob(names, "lost", "Azure does not know it any more");
    },
    async stop(handle) {
      bodyOf(await api("POST", withVersion(`${at(handle)}/stop`)));
    },
  };
}

function withVersion(url: string): string {
  return `${url}?api-version=${API_VERSION}`;
}

function stateOf({ properties }: Execution, names: JobNames): JobState {
  const status = properties?.status ?? "Unknown";
  if (/^(?:Running|Degraded)$/.test(status)) return { kind: "running" };
  if (!/^(?:Stopped|Failed|Succeeded)$/.test(status)) return { kind: "pending" };
  return endedJob(names, status === "Failed" ? "exited" : "lost", `Azure says ${status}`);
}

/** What a start is told replaces the job's own containers whole; volumes cannot be told. */
function templateOf(
  { operation }: AdapterCall,
  config: Config,
  job: Job,
  variables: { name: string; value: string }[],
): { containers: Container[]; initContainers?: Container[] } {
  const { implementation } = operation;
  const main = containerOf(config, job);
  const told = (container: Container): Container => {
    if (container !== main) return shared(container);
    const names = new Set(variables.map(({ name }) => name));
    const env = [...(container.env ?? []).filter(({ name = "" }) => !names.has(name)), ...variables];
    if (implementation.kind !== "container") return { ...shared(container), env };
    const { image, command } = implementation;
    return { ...shared(container), image, ...(command === null ? {} : { args: command }), env };
  };
  const { containers = [], initContainers = [] } = job.properties?.template ?? {};
  return {
    containers: containers.map(told),
    ...(initContainers.length === 0 ? {} : { initContainers: initContainers.map(shared) }),
  };
}

const TOLD: ReadonlySet<string> = new Set(["image", "name", "command", "args", "env", "resources"]);

/** Probes and volume mounts are a job's, and no execution's. */
function shared(container: Container): Container {
  return Object.fromEntries(Object.entries(container).filter(([name]) => TOLD.has(name)));
}

function containerOf({ container }: Config, { properties }: Job): Container | undefined {
  const all = properties?.template?.containers ?? [];
  return container === undefined ? all[0] : all.find(({ name }) => name === container);
}

/** What would run the work more than once. */
function wrongWith(config: Config, job: Job): string | undefined {
  const { replicaRetryLimit: retries = 0, manualTriggerConfig: manual } = job.properties?.configuration ?? {};
  if (retries !== 0) return `have a replicaRetryLimit of 0; it is ${retries}`;
  const replicas = Math.max(manual?.parallelism ?? 1, manual?.replicaCompletionCount ?? 1);
  if (replicas !== 1) return `run one replica; it runs ${replicas}`;
  if (containerOf(config, job) === undefined) return `have the container "${config.container ?? ""}"; it does not`;
  return undefined;
}
