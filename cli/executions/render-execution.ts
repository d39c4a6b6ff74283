/** One execution laid out for people: what it is, how it went, what it belongs to. */
import { isFinal } from "../../src/model/execution-states.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import { renderTable } from "../render/table.ts";
import { renderTook, tookMs } from "./lines.ts";

export function renderExecution(execution: ExecutionView): string {
  const { id, operation, revision, status, error } = execution;
  const parts = [`execution ${id}\n${operation}@${revision}, ${status}`, fields(execution)];
  if (error !== null) {
    const places = (error.errors ?? []).map(({ pointer, detail }) => `\n  ${pointer || "(the whole)"}: ${detail}`);
    const hint = error.hint === undefined ? "" : `\n  next: ${error.hint}`;
    parts.push(`Error\n  ${error.code}: ${error.detail}${places.join("")}${hint}`);
  }
  if (execution.attempts.length > 0) parts.push(`Attempts\n${indent(attemptTable(execution))}`);
  if (execution.steps.length > 0) {
    const rows = execution.steps.map((step, index) => [index + 1, step.operation, step.status, step.execution_id]);
    parts.push(`Steps\n${indent(renderTable(["step", "operation", "status", "execution"], rows))}`);
  }
  return parts.join("\n\n");
}

function fields(execution: ExecutionView): string {
  const { status, caller, output, next_attempt_at: next, kept_until: kept } = execution;
  const took = tookMs(execution);
  const rows: [string, string | null][] = [
    ["mode", execution.mode],
    ["caller", `${caller.type} ${caller.id}`],
    ["principal", execution.principal],
    ["environment", execution.environment],
    ["accepted", execution.accepted_at],
    ["started", execution.started_at],
    ["finished", execution.finished_at],
    ["took", took === undefined ? null : renderTook(took)],
    ["attempt", execution.attempt === 0 ? null : String(execution.attempt)],
    ["next attempt", isFinal(status) ? null : next],
    ["expires", isFinal(status) ? null : execution.expires_at],
    ["kept until", kept],
    ["output", output === null ? null : `${output.artifact_id}, ${output.size_bytes} bytes, sha256 ${output.sha256}`],
    ["parent", execution.parent],
    ["replay of", execution.replay_of],
    ["replayed by", execution.replayed_by.length === 0 ? null : execution.replayed_by.join(", ")],
    ["traceparent", execution.traceparent],
    ["digest", execution.digest],
  ];
  const said = rows.filter(([, value]) => value !== null);
  const width = Math.max(...said.map(([name]) => name.length));
  return said.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join("\n");
}

function attemptTable({ attempts }: ExecutionView): string {
  const rows = attempts.map(({ attempt, end, environment, started_at: started, finished_at: finished, error }) => [
    attempt,
    end,
    environment,
    started,
    renderTook(Date.parse(finished) - Date.parse(started)),
    error === null ? null : `${error.code}: ${error.detail}`,
  ]);
  return renderTable(["attempt", "end", "environment", "started", "took", "error"], rows, 120);
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
