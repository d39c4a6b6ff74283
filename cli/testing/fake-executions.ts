/**
 * The executions of the platform in memory: records, logs, artifacts, and streams of events that a test writes down
 * connection by connection. Nothing runs: a test moves an execution on, from `platform.before` or at once.
 */
import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { isFinal } from "../../src/model/execution-states.ts";
import type { ArtifactView, ExecutionLogLine, ExecutionView } from "../../src/model/execution.ts";
import { problem, send, type Seen, type Target } from "./_answer.ts";

export type FakeEvent = { id: string; text: string };

export type FakeExecutions = {
  views: Map<string, ExecutionView>;
  outputs: Map<string, string>;
  inputs: Map<string, string>;
  logs: Map<string, ExecutionLogLine[]>;
  artifacts: { view: ArtifactView; bytes: Uint8Array; etag?: string }[];
  /** What a stream of events tells; one that is resumed tells what stands behind its last event. */
  events: FakeEvent[];
  /** How many events each further connection is sent and how it ends then; when there are no more: all of them. */
  connections: { send: number; last: "end" | "cut" }[];
  /** Rows of one page of any listing. */
  page: number;
};

export function createFakeExecutions(): FakeExecutions {
  return {
    views: new Map(),
    outputs: new Map(),
    inputs: new Map(),
    logs: new Map(),
    artifacts: [],
    events: [],
    connections: [],
    page: 100,
  };
}

/** The nth id, in the form that the platform gives them. */
export function idOf(n: number): string {
  return `ex_00_${String(n).padStart(25, "0")}`;
}

/** An execution as it is when it was just accepted, but for what the test says. */
export function viewOf(n: number, over: Partial<ExecutionView> = {}): ExecutionView {
  return {
    id: idOf(n),
    operation: "slow",
    revision: 1,
    digest: "d".repeat(64),
    mode: "async",
    status: "queued",
    trigger: "token",
    caller: { type: "token", id: "tok_1" },
    principal: "tok_1",
    traceparent: "00-1-2-01",
    environment: null,
    accepted_at: "2026-11-22T09:00:00.000Z",
    started_at: null,
    finished_at: null,
    next_attempt_at: null,
    kept_until: null,
    expires_at: null,
    attempt: 0,
    attempts: [],
    error: null,
    output: null,
    parent: null,
    replay_of: null,
    replayed_by: [],
    steps: [],
    ...over,
  };
}

/** 202 for a new execution of the operation. */
export function accept(executions: FakeExecutions, operation: string, response: ServerResponse): void {
  const view = viewOf(executions.views.size + 1, { operation });
  executions.views.set(view.id, view);
  send(response, 202, { execution_id: view.id });
}

export function answerExecutions(executions: FakeExecutions, seen: Seen, target: Target): void {
  const { parts, url, response } = target;
  const [collection, id, verb] = parts;
  if (id === undefined) {
    const wanted = url.searchParams;
    const fits = (row: ExecutionView | ArtifactView): boolean =>
      (["operation", "status"] as const).every(
        (key) => !wanted.has(key) || wanted.get(key) === (row as ExecutionView)[key],
      );
    const rows =
      collection === "executions" ? [...executions.views.values()] : executions.artifacts.map(({ view }) => view);
    const from = Number(wanted.get("cursor") ?? 0);
    const to = from + Math.min(executions.page, Number(wanted.get("limit") ?? 100));
    const all = (rows as (ExecutionView | ArtifactView)[]).filter(fits);
    return send(response, 200, { items: all.slice(from, to), next_cursor: to < all.length ? String(to) : null });
  }
  if (collection === "artifacts") return answerArtifact(executions, id, response);
  const view = executions.views.get(id);
  if (view === undefined) return problem(response, "entity_not_found", `Cannot show the execution "${id}"`);
  if (verb === undefined) return send(response, 200, view);
  if (verb === "replay") return accept(executions, view.operation, response);
  if (verb === "events") return stream(executions, seen, response);
  if (verb === "cancel") {
    if (isFinal(view.status))
      return problem(response, "execution_final", `Cannot cancel "${id}": it is ${view.status}`);
    const cancelled = { ...view, status: "cancelled" as const };
    executions.views.set(id, cancelled);
    return send(response, 200, cancelled);
  }
  if (verb === "logs") {
    const after = Number(url.searchParams.get("after") ?? 0);
    const rest = (executions.logs.get(id) ?? []).filter(({ seq }) => seq > after);
    const items = rest.slice(0, executions.page);
    return send(response, 200, { items, next_cursor: rest.length > items.length ? String(items.at(-1)?.seq) : null });
  }
  if (verb === "input") return answerText(executions.inputs.get(id), response);
  if (!isFinal(view.status)) return problem(response, "execution_unfinished", `Cannot show the output of "${id}"`);
  if (view.error !== null) return problem(response, view.error.code, view.error.detail);
  return answerText(executions.outputs.get(id), response);
}

function answerText(text: string | undefined, response: ServerResponse): void {
  if (text === undefined) return problem(response, "entity_not_found", "Cannot show it: it is not kept");
  response.writeHead(200, { "content-type": "application/json" }).end(text);
}

function stream({ events, connections }: FakeExecutions, seen: Seen, response: ServerResponse): void {
  const last = events.findIndex(({ id }) => id === seen.headers["last-event-id"]);
  const { send: count, last: ending } = connections.shift() ?? { send: events.length, last: "end" };
  response.writeHead(200, { "content-type": "text/event-stream" });
  const text = events
    .slice(last + 1, last + 1 + count)
    .map((event) => event.text)
    .join("");
  if (ending === "end") response.end(text);
  else response.write(text, () => response.destroy());
}

function answerArtifact(executions: FakeExecutions, id: string, response: ServerResponse): void {
  const found = executions.artifacts.find(({ view }) => view.id === id);
  if (found === undefined) return problem(response, "entity_not_found", `Cannot find the artifact "${id}"`);
  response.writeHead(200, {
    "content-type": found.view.content_type,
    etag: found.etag ?? `"${createHash("sha256").update(found.bytes).digest("hex")}"`,
  });
  response.end(found.bytes);
}

export function stateEvent(version: number, execution: ExecutionView): FakeEvent {
  return eventOf(`${version}-0`, "state", execution);
}

export function logEvent(version: number, line: ExecutionLogLine): FakeEvent {
  return eventOf(`${version}-${line.seq}`, "log", line);
}

function eventOf(id: string, event: string, data: unknown): FakeEvent {
  return { id, text: `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n` };
}

export function logLine(seq: number, over: Partial<ExecutionLogLine> = {}): ExecutionLogLine {
  return { seq, attempt: 1, level: "info", message: `line ${seq}`, at: "2026-11-22T09:00:01.250Z", ...over };
}
