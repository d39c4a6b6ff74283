/**
 * The adapter `gcp-job`: each call is an execution of a Cloud Run job that runs our host, or a container of the team's,
 * and reports by a signed callback (job.ts). Cloud Run knows no idempotency token: an execution is found again by the
 * ticket's URL in its environment, so two starts of one ticket at the same moment would both run.
 * https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.jobs
 */
import * as v from "valibot";
import type { Outcome } from "../../model/outcome.ts";
import { unstarted, type Adapter, type AdapterCall, type AdapterPorts, type EnvironmentHandle } from "../adapter.ts";
import { ApiRefusal, bodyOf, jsonApi, type JsonApi } from "../http/json-api.ts";
import { network, plainUrl } from "../http/settings.ts";
import { runJob, type JobDriver, type JobOptions } from "../job.ts";
import { checkJob, jobVariables, notBegun, unsuitableWork } from "../job-place.ts";
import { stateOfExecution, type Execution } from "./execution-state.ts";
import { GOOGLE_AUTH, GOOGLE_SECRETS, googleAuth } from "./google-auth.ts";

const word = v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,63}$/));

const ConfigSchema = v.strictObject({
  project: word,
  /** Such as europe-west3. */
  location: word,
  job: word,
  /** The container that is told its job, where the job has several. */
  container: v.optional(word),
  /** That container is Switchyard's own host, so modules run in it. */
  host: v.optional(v.boolean(), true),
  /** In place of the public one. */
  endpoint: v.optional(plainUrl, "https://run.googleapis.com"),
  ...GOOGLE_AUTH,
  network,
});
type Config = v.InferOutput<typeof ConfigSchema>;

type Job = { template?: { template?: { maxRetries?: number; containers?: { name?: string; image?: string }[] } } };
type Executions = { executions?: Execution[]; nextPageToken?: string };

/** Of 100 executions each. An older one than that has been followed for long, or never will be. */
const MAX_PAGES = 3;
/** Beyond the time-out, for a host to start and to report. */
const SPARE_SECONDS = 120;

export function gcpJobAdapter(ports: AdapterPorts, options: JobOptions = {}): Adapter {
  const tokenFor = googleAuth(() => ports.now());
  const open = (environment: EnvironmentHandle) => {
    const config = v.parse(ConfigSchema, environment.config);
    const send = ports.fetchOn(config.network);
    const { name } = environment;
    const authorize = async (how: { renew: boolean; signal?: AbortSignal }) =>
      tokenFor({ name, send, secrets: await environment.openSecrets(), config }, null, how);
    const api = jsonApi({ name, send, authorize }, () => ports.now());
    const { endpoint, project, location, job } = config;
    return { config, api, url: `${endpoint}/v2/projects/${project}/locations/${location}/jobs/${job}` };
  };
  return {
    name: "gcp-job",
    summary: "Executions of a Cloud Run job, that report by callback",
    config: ConfigSchema,
    secrets: GOOGLE_SECRETS,
    runs: ["module", "container"],
    async invoke(call): Promise<Outcome> {
      let driver: JobDriver;
      try {
        const { config, api, url } = open(call.environment);
        const job = bodyOf(await api<Job>("GET", url));
        const refusal = unsuitableWork(call, config.host) ?? unsuitableJob(call, config, job);
        if (refusal !== undefined) return refusal;
        driver = driverOf(call, { config, api, url });
      } catch (thrown) {
        return notBegun(thrown, call.environment.name, "Cloud Run");
      }
      return runJob(call, driver, ports, options);
    },
    check: (environment) =>
      checkJob(ports, async () => {
        const { config, api, url } = open(environment);
        const job = bodyOf(await api<Job>("GET", url));
        const wrong = wrongWith(config, job);
        return {
          missing: wrong === undefined ? [] : [`The job must ${wrong}`],
          facts: { image: containerOf(config, job)?.image ?? "" },
        };
      }),
  };
}

function driverOf(call: AdapterCall, { config, api, url }: { config: Config; api: JsonApi; url: string }): JobDriver {
  const { operation, environment, meta } = call;
  const { implementation } = operation;
  const names = {
    operation: operation.name,
    environment: environment.name,
    isModule: implementation.kind === "module",
  };
  const at = (handle: string) => `${config.endpoint}/v2/${handle}`;
  return {
    async start(ticket) {
      const before = await startedBefore(api, url, ticket.url);
      if (typeof before !== "string" && before !== undefined) return before;
      if (before !== undefined) return { handle: before };
      const args = implementation.kind === "container" ? implementation.command : null;
      const override = {
        ...(config.container === undefined ? {} : { name: config.container }),
        ...(args === null ? {} : { args }),
        env: jobVariables(call, ticket),
      };
      const timeout = `${Math.ceil(meta.timeout_ms / 1_000) + SPARE_SECONDS}s`;
      const overrides = { containerOverrides: [override], taskCount: 1, timeout };
      const answer = await api<{ metadata?: Execution }>("POST", `${url}:run`, { overrides });
      if ("refused" in answer) return answer.refused;
      const handle = answer.body.metadata?.name;
      // It has started: asked again, it is found.
      if (handle === undefined) throw new Error("Cloud Run did not name the execution");
      return { handle };
    },
    async look(handle) {
      const answer = await api<Execution>("GET", at(handle));
      if (!("refused" in answer)) return stateOfExecution(answer.body, names);
      if (answer.status !== 404) throw new ApiRefusal(answer.refused);
      return stateOfExecution(undefined, names);
    },
    async stop(handle) {
      bodyOf(await api("POST", `${at(handle)}:cancel`, {}));
    },
  };
}

async function startedBefore(
  api: JsonApi,
  url: string,
  ticketUrl: string,
): Promise<string | (Outcome & { ok: false }) | undefined> {
  let token = "";
  for (let page = 0; page < MAX_PAGES; page++) {
    const query = new URLSearchParams({ pageSize: "100", ...(token === "" ? {} : { pageToken: token }) });
    const answer = await api<Executions>("GET", `${url}/executions?${query.toString()}`);
    if ("refused" in answer) return answer.refused;
    const found = answer.body.executions?.find(({ template }) =>
      template?.containers?.some(({ env }) =>
        env?.some(({ name, value }) => name === "SWITCHYARD_JOB_URL" && value === ticketUrl),
      ),
    );
    if (found?.name !== undefined) return found.name;
    token = answer.body.nextPageToken ?? "";
    if (token === "") break;
  }
  return undefined;
}

function containerOf({ container }: Config, { template }: Job) {
  const all = template?.template?.containers ?? [];
  return container === undefined ? all[0] : all.find(({ name }) => name === container);
}

/** Cloud Run tries tasks three times again unless it is told not to: the work would run more than once. */
function wrongWith(config: Config, job: Job): string | undefined {
  const retries = job.template?.template?.maxRetries ?? 3;
  if (retries !== 0) return `have maxRetries 0; it is ${retries}: gcloud run jobs update ${config.job} --max-retries 0`;
  if (containerOf(config, job) === undefined) return `have the container "${config.container ?? ""}"; it does not`;
  return undefined;
}

/** Neither the image nor the entrypoint can be told to an execution; another would be ignored in silence. */
function unsuitableJob({ operation, environment }: AdapterCall, config: Config, job: Job) {
  const { implementation } = operation;
  const image = containerOf(config, job)?.image ?? "none";
  const wrong =
    wrongWith(config, job) ??
    (implementation.kind === "container" && implementation.image !== image
      ? `run the image ${implementation.image}; it runs ${image}`
      : undefined);
  if (wrong === undefined) return undefined;
  const detail = `Cannot run "${operation.name}" in "${environment.name}": the job "${config.job}" must ${wrong}`;
  return unstarted("environment_misconfigured", detail);
}
