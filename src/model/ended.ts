/** What passes between the shard in which an execution ends and those who asked to hear of it. */
import type { ExecutionStatus } from "./execution-states.ts";
import type { ExecutionView } from "./execution.ts";

/** Somebody wants to hear of an end such as these. `group` is that of the operation then. Absent: nobody does. */
export type Wanted = { group: string; on: readonly ExecutionStatus[] };

/** An end that somebody is still to hear of. */
export type EndNote = { id: string; group: string };

/** What a shard tells of one. `output` and `input` are JSON text: absent where there is none, or where it is too large. */
export type EndedExecution = { view: ExecutionView; depth: number; output?: string; input?: string };
