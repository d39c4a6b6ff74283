/**
 * Runs a program: the input as JSON on stdin, the output as JSON on stdout, stderr is the log. It gets an empty folder, an
 * environment with nothing of the host's in it but PATH and LANG, and no shell. Exit code 0 is a success, 65 (the data is
 * wrong) is not tried again, any other may be.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ProcessImplementation } from "../../model/implementations.ts";
import type { InvocationMeta, InvocationResult } from "../../model/invocation.ts";
import { LIMITS } from "../../core/limits.ts";
import { traceVariables } from "../../core/trace.ts";
import { runProgram, type Ended } from "./_program.node.ts";
import { cancelled, failed, readOutput, timedOut, type WorkOptions, type WorkOrder } from "./_work.ts";
import { locateProgram } from "./locate-program.node.ts";

/** EX_DATAERR of sysexits.h. */
const DATA_IS_WRONG = 65;

export async function runProcess(
  work: ProcessImplementation,
  order: WorkOrder,
  options: WorkOptions,
): Promise<InvocationResult> {
  const { meta, input } = order;
  const [program = "", ...args] = work.command;
  const located = locateProgram(program);
  if (located === undefined) return notThere(meta, program, "it is not there");
  const folder = await mkdtemp(path.join(tmpdir(), "switchyard-run-"));
  try {
    const ended = await runProgram({
      what: `the operation "${meta.operation}"`,
      file: located.path,
      args,
      cwd: folder,
      env: environmentOf(meta, folder),
      input,
      timeoutMs: meta.timeout_ms,
      ...options,
    });
    if (ended.kind === "not_started") return notThere(meta, program, ended.reason);
    return resultOf(ended, meta);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function notThere({ operation }: InvocationMeta, program: string, what: string): InvocationResult {
  const detail = `Cannot run "${operation}": the program "${program}" must be there to be run; ${what}`;
  return failed("environment_misconfigured", detail);
}

/** All that a program sees of the host. */
export function environmentOf(meta: InvocationMeta, folder: string): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    LANG: process.env["LANG"] ?? "C.UTF-8",
    HOME: folder,
    TMPDIR: folder,
    SWITCHYARD_EXECUTION_ID: meta.execution_id,
    SWITCHYARD_OPERATION: meta.operation,
    SWITCHYARD_ATTEMPT: String(meta.attempt),
    ...Object.fromEntries(traceVariables(meta).map(({ name, value }) => [name, value])),
  };
}

export function resultOf(ended: Exclude<Ended, { kind: "not_started" }>, meta: InvocationMeta): InvocationResult {
  const { logs, lastLine } = ended;
  const { operation } = meta;
  switch (ended.kind) {
    case "timeout":
      return timedOut(meta, logs);
    case "cancelled":
      return cancelled(meta, logs);
    case "too_large": {
      const rule = `it must be at most ${LIMITS.jsonBytes} bytes; it is more, and the program was killed`;
      return failed("output_too_large", `Cannot take the output of "${operation}": ${rule}`, { retry: "never", logs });
    }
    case "exit":
      break;
  }
  if (ended.signal === "SIGKILL") {
    const detail = `Cannot finish "${operation}": its program must not be killed; it was, most likely for want of memory`;
    return failed("executor_lost", detail, { logs });
  }
  if (ended.signal !== null) {
    const detail = lastLine ?? `the program was ended by ${ended.signal} and said nothing on stderr`;
    return failed("implementation_failed", detail, { logs });
  }
  if (ended.code !== 0) {
    const detail = lastLine ?? `the program ended with exit code ${ended.code} and said nothing on stderr`;
    return failed("implementation_failed", detail, { logs, retry: ended.code === DATA_IS_WRONG ? "never" : "may" });
  }
  return readOutput(ended.stdout, operation, logs);
}
