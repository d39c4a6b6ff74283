/**
 * For tests: the real application over executions that are plain objects. Bearers are `sy_<principal>`; what happens to an
 * execution is told to the fake by the test, step by step, so nothing here waits or sleeps.
 */
import { SwitchyardError } from "../core/errors.ts";
import { Capabilities } from "../dispatch/capability.ts";
import type { Watched } from "../executions/port.ts";
import type { Scope } from "../model/scope.ts";
import type { ArtifactView, ExecutionLogLine, ExecutionStatus, ExecutionView } from "../model/execution.ts";
import type { Principal } from "../model/principal.ts";
import { createApp } from "./app.ts";
import type { Platform } from "./context.ts";

const PRINCIPALS: Record<string, Scope[]> = {
  owner: ["ops:invoke:demo"],
  other: ["ops:invoke"],
  elsewhere: ["ops:invoke:elsewhere"],
  reader: ["registry:read"],
  writer: ["registry:write"],
  everything: ["ops:invoke", "registry:write"],
};

export const ID = "ex_03_0000000000000000000000001";
export const UNKNOWN_ID = "ex_03_0000000000000000000000009";
export const ARTIFACT_ID = "ar_03_0000000000000000000000001";

const at = "2026-11-22T09:00:00.000Z";

export const VIEW: ExecutionView = {
  id: ID,
  operation: "double",
  revision: 3,
  digest: "d",
  mode: "async",
  status: "running",
  trigger: "token",
  caller: { type: "token", id: "owner" },
  principal: "owner",
  traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
  environment: "inline",
  accepted_at: at,
  started_at: at,
  finished_at: null,
  next_attempt_at: null,
  kept_until: null,
  expires_at: null,
  attempt: 1,
  attempts: [],
  error: null,
  output: null,
  parent: null,
  replay_of: null,
  replayed_by: [],
  steps: [],
};

export const ARTIFACT: ArtifactView = {
  id: ARTIFACT_ID,
  execution_id: ID,
  operation: "double",
  kind: "file",
  name: "sums of 2026.csv",
  content_type: "text/csv",
  size_bytes: 5,
  sha256: "a".repeat(64),
  created_at: at,
};

export const line = (seq: number): ExecutionLogLine => ({ seq, attempt: 1, level: "info", message: `line ${seq}`, at });

function principal(id: string): Principal {
  const scopes = PRINCIPALS[id];
  if (scopes === undefined) throw new SwitchyardError("token_unknown", "Cannot accept the token: it is unknown");
  return { id, name: id, scopes };
}

const known = <T>(id: string, value: T): T | undefined => (id === ID ? value : undefined);

export function fakePlatform() {
  const calls: [string, ...unknown[]][] = [];
  const state = {
    view: VIEW,
    /** What is told to the next who watch, in order. An Error is thrown; a promise lets the test say when. */
    watched: [] as (Watched | undefined | Error | Promise<Watched>)[],
    output: undefined as string | undefined,
    input: undefined as string | undefined,
    logs: [] as ExecutionLogLine[],
    operation: { name: "double", revision: 3, group: "demo", active: true },
  };
  const note =
    (name: string) =>
    (...options: unknown[]): number =>
      calls.push([name, ...options]);
  const capabilities = new Capabilities("a secret of the test");
  const platform = {
    registry: {
      authenticate: async (bearer: string) => principal(bearer.slice("sy_".length)),
      principalById: async (id: string) => principal(id),
      resolve: async (name: string, wanted: unknown) => {
        note("resolve")(name, wanted);
        return { operation: state.operation, stale: false };
      },
    },
    capabilities,
    executions: {
      find: async (id) => known(id, state.view),
      list: async (query) => {
        note("list")(query);
        return { items: [state.view], next_cursor: null };
      },
      input: async (id) => known(id, state.input),
      output: async (id) => known(id, state.output),
      logs: async (id, options) => {
        note("logs")(options);
        return known(id, state.logs.filter(({ seq }) => seq > options.after).slice(0, options.limit));
      },
      watch: async (_id, options) => {
        note("watch")(options);
        const next = await state.watched.shift();
        if (next instanceof Error) throw next;
        return next;
      },
      wait: async (id, waitMs) => {
        note("wait")(waitMs);
        return known(id, state.view);
      },
      cancel: async (id) => {
        note("cancel")(id);
        return known(id, { ...state.view, status: "cancelled" as const });
      },
      replay: async (id, options) => {
        note("replay")(options);
        return known(id, UNKNOWN_ID);
      },
      appendLogs: async (id, entry) => void note("appendLogs")(id, entry),
    },
    artifacts: {
      list: async (query) => {
        note("listArtifacts")(query);
        return { items: [ARTIFACT], next_cursor: null };
      },
      find: async (id) => (id === ARTIFACT_ID ? ARTIFACT : undefined),
      read: async (id) => (id === ARTIFACT_ID ? { view: ARTIFACT, body: new Blob(["a,b,c"]).stream() } : undefined),
      put: async (id, { name, contentType, body }) => {
        note("putArtifact")(id, { name, contentType, text: await new Response(body).text() });
        return ARTIFACT;
      },
    },
    control: undefined,
    version: "test",
  } satisfies Partial<Record<keyof Platform, unknown>> & Pick<Platform, "executions" | "artifacts">;
  const app = createApp(platform as unknown as Platform);

  type Init = { headers?: Record<string, string>; body?: string; as?: string };
  /** `as`: a principal's name, or a whole bearer. */
  const request = async (method: string, path: string, { as = "owner", ...init }: Init = {}): Promise<Response> =>
    app.request(path, {
      method,
      ...init,
      headers: { authorization: `Bearer ${as.includes(".") ? as : `sy_${as}`}`, ...init.headers },
    });
  return { platform, state, calls, request, capability: async (id = "owner") => capabilities.issue(id, 1) };
}

/** With an execution that is over. */
export function endedPlatform(status: ExecutionStatus = "succeeded") {
  const fake = fakePlatform();
  fake.state.view = { ...VIEW, status };
  fake.state.output = '{"n":4}';
  fake.state.input = '{"n":2}';
  return fake;
}

export const POST = { body: "{}", headers: { "content-type": "application/json" } };

export async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}
