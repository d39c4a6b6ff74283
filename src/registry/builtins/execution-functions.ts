/**
 * The built-in functions over executions and artifacts. What keeps those lives in a higher layer and comes in as a port.
 * A cancel or a replay is for whoever started the execution, or may write the registry; that is checked here.
 */
import type * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import { passOnTrace, type TraceContext } from "../../core/trace.ts";
import type { Scope } from "../../model/scope.ts";
import type { ArtifactQuery, ArtifactView, ExecutionQuery, ExecutionView } from "../../model/execution.ts";
import { allows, mayControl, type Principal } from "../../model/principal.ts";
import type { Page } from "../read.ts";
import type { Registry } from "../registry.ts";
import type { AgentPorts } from "./agent-functions.ts";
import type { EnvironmentPorts } from "./environment-functions.ts";
import type { SchedulePorts } from "./schedule-functions.ts";
import type { ServicePorts } from "./service-functions.ts";
import * as schemas from "./execution-schemas.ts";
import { optional, parseInput } from "./parse-input.ts";
import type { WebhookFunctionPorts } from "./webhook-functions.ts";
import type { SubscriptionPorts } from "./subscription-functions.ts";

/** undefined always means: there is none of that id, or it is no longer kept. Who may do it is no matter of theirs. */
export type ExecutionPorts = {
  executions: {
    find(id: string): Promise<ExecutionView | undefined>;
    list(query: ExecutionQuery): Promise<Page<ExecutionView>>;
    /** Throws execution_final. */
    cancel(id: string): Promise<ExecutionView | undefined>;
    /** A new execution, as `principal`; answers its id. Throws execution_final. */
    replay(
      id: string,
      options: { revision: number | "latest" | "same"; principal: Principal } & TraceContext,
    ): Promise<string | undefined>;
  };
  artifacts: {
    find(id: string): Promise<ArtifactView | undefined>;
    list(query: ArtifactQuery): Promise<Page<ArtifactView>>;
  };
};

/** What functions that need more than the registry are given. */
export type WiredPorts = ExecutionPorts &
  EnvironmentPorts &
  WebhookFunctionPorts &
  SchedulePorts &
  SubscriptionPorts &
  AgentPorts &
  ServicePorts;

type Call = {
  input: unknown;
  principal: Principal;
  ports: WiredPorts;
  registry: Pick<Registry, "resolve" | "environment" | "trigger" | "database">;
};
type Run = (name: string, call: Call) => Promise<unknown>;

export type WiredFunction = {
  name: string;
  description: string;
  scope: Scope;
  input: () => v.GenericSchema;
  output: () => v.GenericSchema;
  run: Run;
};

export const EXECUTION_FUNCTIONS: readonly WiredFunction[] = [
  {
    name: "list_execution",
    description: "Lists executions, newest first, by operation, status, trigger, parent and time.",
    scope: "registry:read",
    input: () => schemas.listExecutionInput,
    output: () => schemas.executionPage,
    async run(name, { input, ports }) {
      const { operation, status, trigger, parent, since, until, limit, cursor } = parseInput(
        schemas.listExecutionInput,
        input,
        name,
      );
      const bounds = { since: millisecondsOf(since), until: millisecondsOf(until) };
      const equal = {
        operation: valueOf(operation),
        status: valueOf(status),
        trigger: valueOf(trigger),
        parent: valueOf(parent),
      };
      return ports.executions.list({ limit, ...optional({ ...equal, ...bounds, cursor }) });
    },
  },
  {
    name: "get_execution",
    description: "One execution: its status, times, attempts, error and output.",
    scope: "registry:read",
    input: () => schemas.idInput,
    output: () => schemas.executionOutput,
    async run(name, { input, ports }) {
      const { id } = parseInput(schemas.idInput, input, name);
      return (await ports.executions.find(id)) ?? notFound("execution", id);
    },
  },
  {
    name: "cancel_execution",
    description: "Cancels one execution that has not ended, and those that it started.",
    scope: "ops:invoke",
    input: () => schemas.idInput,
    output: () => schemas.executionOutput,
    async run(name, { input, principal, ports }) {
      const { id } = parseInput(schemas.idInput, input, name);
      await controlled(id, principal, ports);
      return (await ports.executions.cancel(id)) ?? notFound("execution", id);
    },
  },
  {
    name: "replay_execution",
    description: "Runs one execution that has ended again, with the same input: a new execution.",
    scope: "ops:invoke",
    input: () => schemas.replayInput,
    output: () => schemas.replayOutput,
    async run(name, { input, principal, ports, registry }) {
      const { id, revision } = parseInput(schemas.replayInput, input, name);
      const before = await controlled(id, principal, ports);
      await assertActive(
        before.operation,
        revision === "latest" ? {} : { revision: revision ?? before.revision },
        registry,
      );
      const executionId = await ports.executions.replay(id, {
        revision: revision ?? "same",
        principal,
        traceparent: passOnTrace(undefined),
      });
      return { execution_id: executionId ?? notFound("execution", id) };
    },
  },
  {
    name: "list_artifact",
    description: "Lists artifacts, newest first, by execution, operation and hash.",
    scope: "registry:read",
    input: () => schemas.listArtifactInput,
    output: () => schemas.artifactPage,
    async run(name, { input, ports }) {
      const { execution, operation, sha256, limit, cursor } = parseInput(schemas.listArtifactInput, input, name);
      const equal = { execution: valueOf(execution), operation: valueOf(operation), sha256: valueOf(sha256) };
      return ports.artifacts.list({ limit, ...optional({ ...equal, cursor }) });
    },
  },
  {
    name: "get_artifact",
    description: "What is known of one artifact. GET /artifacts/ID answers its bytes.",
    scope: "registry:read",
    input: () => schemas.idInput,
    output: () => schemas.artifactOutput,
    async run(name, { input, ports }) {
      const { id } = parseInput(schemas.idInput, input, name);
      return (await ports.artifacts.find(id)) ?? notFound("artifact", id);
    },
  },
];

/** Throws unless the execution is the principal's to act on. A stranger who may not read it learns nothing of it. */
async function controlled(id: string, principal: Principal, { executions }: ExecutionPorts): Promise<ExecutionView> {
  const view = await executions.find(id);
  if (view !== undefined && mayControl(principal, view)) return view;
  if (view === undefined || !allows(principal, "registry:read")) notFound("execution", id);
  throw new SwitchyardError(
    "forbidden",
    `Cannot act on the execution "${id}": it must be the token's own, or the token must have registry:write; "${principal.name}" has ${principal.scopes.join(", ")}`,
  );
}

/** The group needs no look: the function's own scope is that of every group. */
async function assertActive(name: string, wanted: { revision?: number }, registry: Call["registry"]): Promise<void> {
  const { operation } = await registry.resolve(name, wanted);
  if (operation.active) return;
  throw new SwitchyardError("operation_inactive", `Cannot replay "${name}": its row says active: false`, {
    hint: `opctl edit operation ${name} -s active=true`,
  });
}

function notFound(what: "execution" | "artifact", id: string): never {
  throw new SwitchyardError(
    "entity_not_found",
    `Cannot find the ${what} "${id}": it must be kept here and yours to see; there is none such`,
    { hint: `opctl get ${what}s` },
  );
}

function valueOf<T extends string>(condition: T | { op: "$eq"; value: T } | undefined): T | undefined {
  return typeof condition === "object" ? condition.value : condition;
}

function millisecondsOf(time: number | string | undefined): number | undefined {
  return typeof time === "string" ? Date.parse(time) : time;
}
