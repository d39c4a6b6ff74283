/** Agents as the rest of the platform uses them: plans without an agent at work, and its object for everything else. */
import { SwitchyardError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { TriggerHandle } from "../model/triggers.ts";
import { answered, told } from "../objects/reach.ts";
import { toDecisions, toMermaid, toSentences, type Step } from "../planner/index.ts";
import type { AgentPorts, AgentStatusView } from "../registry/builtins/agent-functions.ts";
import type { Registry } from "../registry/registry.ts";
import { sizeOf } from "./_brief.ts";
import type { StepRow } from "./_agent-store.ts";
import type { AgentObject, AgentStatus } from "./agent-object.ts";
import type { AgentWatch } from "./port.ts";
import { planAgent } from "./plan-agent.ts";
import { jobRows, settingsOf } from "./rows.ts";

type Row = TriggerHandle<"agent">;
type Change = { kind: string; name: string };

export type Agents = AgentPorts["agents"] &
  AgentWatch & {
    /** Rows were written. Resolves when the objects know, or cannot be told: they look by themselves when they plan next. */
    tell(changes: readonly Change[]): Promise<void>;
  };

export function createAgents(ports: {
  namespace: DurableObjectNamespace<AgentObject>;
  registry: Pick<Registry, "manifests" | "triggers">;
}): Agents {
  const { namespace, registry } = ports;
  const object = (name: string) => namespace.getByName(name);
  const status = async (row: Row): Promise<AgentStatusView> => {
    const text = await answered(the(row.name), async () => object(row.name).status());
    return text === undefined ? untold(row) : viewOf(row.name, JSON.parse(text) as AgentStatus);
  };
  return {
    status,

    async plan(row, { target, trace }) {
      const known = await answered(the(row.name), async () => object(row.name).state());
      const state = known === undefined ? row.initial : (JSON.parse(known) as { value?: unknown }).value;
      const plan = await planAgent({ agent: row, jobs: await jobRows(row, registry), state, target, trace });
      const { reached, makespan, unmet, bound, notes } = plan;
      return {
        reached,
        steps: plan.steps.map(stepOf),
        makespan,
        unmet: [...unmet],
        bound: bound === null ? null : `${bound.limit} ${bound.name}`,
        notes: [...notes],
        sentences: toSentences(plan),
        mermaid: toMermaid(plan),
        ...(trace ? { decisions: toDecisions(plan) } : {}),
      };
    },

    async seek(row, { target, cancel }) {
      assertSize("set", row.name, { what: "target", value: target, most: LIMITS.agentTargetBytes });
      const text = JSON.stringify({ settings: settingsOf(row), target, cancel });
      const { seek, event } = JSON.parse(await answered(the(row.name), async () => object(row.name).seek(text))) as {
        seek: number;
        event: number;
      };
      return { name: row.name, seek, event, active: row.active };
    },

    async stop(row, { cancel }) {
      await answered(the(row.name), async () => object(row.name).stop(cancel));
      return status(row);
    },

    async sense(row, seen) {
      assertSize("tell", row.name, { what: "value", value: seen.value, most: LIMITS.agentStateBytes });
      const text = JSON.stringify({ settings: settingsOf(row), ...seen });
      await answered(the(row.name), async () => object(row.name).sense(text));
      return status(row);
    },

    watch: (name, { after, waitMs }) => answered(the(name), async () => object(name).watch(after, waitMs)),

    async tell(changes) {
      const names = new Set(changes.filter(({ kind }) => kind === "agent").map(({ name }) => name));
      const jobs = new Set(changes.filter(({ kind }) => kind === "job").map(({ name }) => name));
      if (jobs.size > 0) {
        for (const row of await registry.triggers("agent"))
          if (row.jobs.some((job) => jobs.has(job))) names.add(row.name);
      }
      await Promise.all([...names].map((name) => told("agents", async () => object(name).changed())));
    },
  };
}

function assertSize(verb: string, name: string, { what, value, most }: { what: string; value: unknown; most: number }) {
  const size = sizeOf(value);
  if (size <= most) return;
  throw new SwitchyardError(
    "payload_too_large",
    `Cannot ${verb} the agent "${name}" a ${what}: it may have at most ${most} bytes as JSON; it has ${size}`,
  );
}

function the(name: string): string {
  return `the agent "${name}"`;
}

function stepOf({ id, job, path, params, description, needs, of }: Step) {
  return { id, job, path, params: { ...params }, description, needs: [...needs], of: [...of] };
}

function untold({ name, active, initial }: Row): AgentStatusView {
  const nothing = { reason: null, since: null, next_at: null, target: null, plan: null };
  return { name, active, phase: "idle", ...nothing, state: initial, seek: 0, failures: 0, unmet: [], event: 0 };
}

function viewOf(name: string, status: AgentStatus): AgentStatusView {
  const { active, phase, reason, since, next, target, state, seek, failures, unmet, sensorError, plan, steps, event } =
    status;
  const all = steps.map(stepView);
  return {
    name,
    active,
    phase,
    reason,
    since: timeOf(since),
    next_at: timeOf(next),
    target: target ?? null,
    state: state ?? null,
    seek,
    failures,
    unmet: [...unmet],
    ...(sensorError === null ? {} : { sensor_error: { ...sensorError } }),
    plan: plan === 0 ? null : { number: plan, steps: all },
    event,
  };
}

function timeOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

function stepView({ step, status, execution, startedAt, endedAt, error }: StepRow) {
  return {
    ...stepOf(step),
    status,
    execution_id: execution,
    started_at: timeOf(startedAt),
    ended_at: timeOf(endedAt),
    error: error === null ? null : { ...error },
  };
}
