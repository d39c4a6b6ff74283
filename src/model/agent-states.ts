/**
 * The life of an agent as one table: it yields the type, the guard and the tests.
 *
 *     idle → planning → running → planning → reached, with `waiting` between tries
 *
 * `reached`, `unreachable` and `waiting` go on by themselves when something changes; `stopped` and `failed` only with a new target.
 */
export const AGENT_STATES = {
  /** It has no target yet. */
  idle: { settled: true, to: ["planning", "waiting"] },
  /** The state is read again where sensors say how, and a plan is made. */
  planning: { settled: false, to: ["running", "waiting", "reached", "unreachable", "stopped", "failed"] },
  /** Steps of the plan are under way. */
  running: { settled: false, to: ["planning", "waiting", "stopped", "failed"] },
  /** For the time to try again, or to be switched on. */
  waiting: { settled: false, to: ["planning", "stopped", "failed"] },
  /** The state is what the target wants. A sensor may find otherwise. */
  reached: { settled: true, to: ["planning", "waiting", "stopped", "failed"] },
  /** No way leads there. Tried again when the state or the rows change, and now and then. */
  unreachable: { settled: true, to: ["planning", "waiting", "stopped"] },
  stopped: { settled: true, to: ["planning", "waiting"] },
  /** Steps failed too often in a row. */
  failed: { settled: true, to: ["planning", "waiting", "stopped"] },
} as const;

export type AgentPhase = keyof typeof AGENT_STATES;
export const AGENT_PHASES = Object.keys(AGENT_STATES) as AgentPhase[];

export function mayFollow(from: AgentPhase, to: AgentPhase): boolean {
  return from === to || (AGENT_STATES[from].to as readonly AgentPhase[]).includes(to);
}

/** Nothing more is done until something changes. */
export function isSettled(phase: AgentPhase): boolean {
  return AGENT_STATES[phase].settled;
}

/** `waiting` until what it needs is done; `cancelled`: the plan was given up before its turn, or its execution was. */
export const STEP_STATUSES = ["waiting", "started", "succeeded", "failed", "cancelled"] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];
