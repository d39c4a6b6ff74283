/**
 * What passes between an agent's object and the stateless invocations that act for it, as JSON text. Times are milliseconds
 * since the epoch; a value that is left out means that nothing is there.
 */
import type { ErrorData } from "../core/errors.ts";
import type { AgentRow, JobRow } from "../model/agents.ts";
import type { Json, Step, Unmet, Value } from "../planner/index.ts";

/** The part of the agent's row that its object goes by. */
export type AgentSettings = Pick<AgentRow, "active" | "retry" | "sensors" | "initial"> & { digest: string };

/** What the row says now. null: it is gone; left out: the registry did not say. */
type OfRow = { settings?: AgentSettings | null };
export type LookAnswer = OfRow;

/** `sensors`: places of those that are read first, beside those that are read before each plan. */
export type PlanOrder = { agent: string; state: Value; target: Value; sensors: string[] };

/** A sensor's value; one that failed says why. */
export type Sensed = { path: string; value?: Json; error?: ErrorData };

export type PlanAnswer = OfRow & {
  sensed: Sensed[];
  /** What stood in the way of a plan; `again`: it is nothing that anybody must mend. */
  refusal?: ErrorData & { again: boolean };
  plan?: {
    reached: boolean;
    steps: Step[];
    unmet: Unmet[];
    /** Which limit ended the search. */
    bound: string | null;
    /** Where no job works. */
    unserved: string | null;
    /** The rows that the plan was made with. Its steps go by them whatever is edited meanwhile. */
    jobs: JobRow[];
  };
};

/** What expressions of a step's job see. */
export type StepData = {
  params: Readonly<Record<string, string>>;
  path: string;
  reads: Record<string, Json>;
  value?: Json;
  target?: Json;
};

/** One step to carry out. `execution`: it is under way already; `key`: whoever starts it again starts it once. */
export type StepOrder = {
  agent: string;
  plan: number;
  step: number;
  key: string;
  job: JobRow;
  data: StepData;
  execution: string | null;
  /** Nobody has tried to start it before. */
  isFirst: boolean;
};

/** What becomes of the state, by path. */
export type Patch = { path: string; value?: Json };

export type StepAnswer = { plan: number; step: number; execution: string | null } & (
  | { kind: "running" }
  | { kind: "succeeded"; patches: Patch[] }
  /** Its condition does not hold any more. */
  | { kind: "overtaken" }
  /** Nobody can say yet, or nothing could take it. Ask again. */
  | { kind: "unknown"; error: ErrorData }
  | { kind: "failed"; error: ErrorData; cancelled: boolean }
);

export type SenseOrder = { agent: string; sensors: string[] };
export type SenseAnswer = OfRow & { sensed: Sensed[] };
