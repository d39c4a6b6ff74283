/** What the edge can do with executions. Implemented by executions.ts over the shards; every id is checked by it. */
import type { TraceContext } from "../core/trace.ts";
import type { LogLine } from "../model/invocation.ts";
import type {
  ArtifactQuery,
  ArtifactView,
  ExecutionLogLine,
  ExecutionQuery,
  ExecutionView,
} from "../model/execution.ts";
import type { Wanted } from "../model/ended.ts";
import type { Caller, Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";

export type Page<T> = { items: T[]; next_cursor: string | null };

/** `version` rises with each change of the view; `logs` are the lines after the one asked for. */
export type Watched = { version: number; view: ExecutionView; logs: ExecutionLogLine[] };

/** Which ends of an operation's execution somebody wants to hear of, as things are now; undefined: none. Never throws. */
export type WantedPort = (
  operation: Pick<ResolvedOperation, "name" | "group">,
  caller: Caller,
) => Wanted | undefined | Promise<Wanted | undefined>;

export interface Executions {
  /** undefined: no such execution, or it is no longer kept, or the text is not an id. The same holds below. */
  find(id: string): Promise<ExecutionView | undefined>;
  list(query: ExecutionQuery): Promise<Page<ExecutionView>>;
  /** The input as JSON text; undefined too for a synchronous call, whose payloads are not kept. */
  input(id: string): Promise<string | undefined>;
  /** The output as JSON text; undefined while there is none. */
  output(id: string): Promise<string | undefined>;
  logs(id: string, options: { after: number; limit: number }): Promise<ExecutionLogLine[] | undefined>;
  /** Answers when the version is above `version`, or a log line after `afterLog` is there, or `waitMs` is over. */
  watch(id: string, options: { version: number; afterLog: number; waitMs: number }): Promise<Watched | undefined>;
  /** Waits until it has ended or `waitMs` is over, and answers how it is then. */
  wait(id: string, waitMs: number): Promise<ExecutionView | undefined>;
  /** Throws execution_final when it has ended otherwise. Cancelling twice is once. */
  cancel(id: string): Promise<ExecutionView | undefined>;
  /** A new execution with the same input. Throws execution_final unless it has ended. */
  replay(
    id: string,
    options: { revision: number | "latest" | "same"; principal: Principal } & TraceContext,
  ): Promise<string | undefined>;
  /** Lines of a handler that is still running; `first` is the index of the first within its attempt. */
  appendLogs(id: string, entry: { attempt: number; first: number; lines: readonly LogLine[] }): Promise<void>;
}

export interface Artifacts {
  list(query: ArtifactQuery): Promise<Page<ArtifactView>>;
  find(id: string): Promise<ArtifactView | undefined>;
  /** Its bytes, from the start; undefined when there is none. Throws payload_lost, artifact_store_unavailable. */
  read(id: string): Promise<{ view: ArtifactView; body: ReadableStream<Uint8Array> } | undefined>;
  /** Stores what a running handler puts, in parts; the bytes are not checked. */
  put(
    execution: string,
    content: {
      name: string;
      contentType: string;
      body: ReadableStream<Uint8Array>;
      /** For an execution without a record yet: a synchronous call's. */
      operation?: string;
    },
  ): Promise<ArtifactView>;
}
