/** `opctl describe execution`: its course as `opctl get` shows it, and what went in, came out and was logged. */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { ExecutionLogLine, ExecutionView } from "../../src/model/execution.ts";
import type { Context } from "../command.ts";
import { executionRoute, readExecution, readLogs } from "./api.ts";
import { getRecords } from "./get-records.ts";
import { renderLogLine } from "./lines.ts";
import type { RecordKind } from "./records.ts";
import { renderExecution } from "./render-execution.ts";

/** How much of it the view shows; `opctl logs` and `opctl artifact get` have it all. */
const LOG_TAIL = 20;
const TEXT_CHARS = 2000;

export async function describeRecord(context: Context, kind: RecordKind, id: string): Promise<void> {
  // What there is to say of an artifact, a change or a delivery is the same in both.
  if (kind !== "execution") return getRecords(context, kind, id, { format: "table", singular: true });
  const execution = await readExecution(context.client, id);
  if (context.globals.json) return context.output.value(execution);
  const parts = [
    renderExecution(execution),
    await payload(context, id, "input"),
    await output(context, execution),
    await logs(context, execution),
  ];
  context.output.data(parts.filter((part) => part !== "").join("\n\n"));
}

function output(context: Context, { id, status, output: reference }: ExecutionView): Promise<string> | string {
  if (status !== "succeeded") return "";
  if (reference === null || reference.size_bytes <= TEXT_CHARS * 4) return payload(context, id, "output");
  return `Output\n  ${reference.size_bytes} bytes: opctl artifact get ${reference.artifact_id} FILE`;
}

async function payload(context: Context, id: string, which: "input" | "output"): Promise<string> {
  const title = which === "input" ? "Input" : "Output";
  try {
    const { text } = await context.client.request("GET", `${executionRoute(id)}/${which}`);
    const shown = text.length > TEXT_CHARS ? `${text.slice(0, TEXT_CHARS)}…` : text;
    return `${title}\n${shown.replaceAll(/^/gm, "  ")}`;
  } catch (error) {
    // Of a synchronous call neither is kept.
    if (error instanceof SwitchyardError && error.code === "entity_not_found") return "";
    throw error;
  }
}

async function logs(context: Context, execution: ExecutionView): Promise<string> {
  const lines: ExecutionLogLine[] = [];
  let left = 0;
  for await (const line of readLogs(context.client, execution.id)) {
    lines.push(line);
    if (lines.length <= LOG_TAIL) continue;
    lines.shift();
    left++;
  }
  if (lines.length === 0) return "";
  const shown = lines.map((line) => `  ${renderLogLine(line, { attempts: execution.attempt > 1 })}`);
  const before = left === 0 ? [] : [`  … ${left} before: opctl logs ${execution.id}`];
  return `Log\n${[...before, ...shown].join("\n")}`;
}
