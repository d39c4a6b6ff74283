/**
 * AWS Lambda: our host as a function for modules, and functions that the team already has. Lambda cannot stop an
 * invocation: one that is cancelled or too late is only no longer waited for, and goes on there to its own end.
 *
 * With `invocation: event` the function is started at least once: Lambda may deliver an event twice, and an attempt that
 * is interrupted after it has sent one and before that is noted sends a second. The first report is the outcome.
 */
import { InvokeCommand, type InvokeCommandOutput, type LambdaClient } from "@aws-sdk/client-lambda";
import * as v from "valibot";
import { utf8Length } from "../../core/hash.ts";
import { contextOf } from "../../core/trace.ts";
import type { Outcome } from "../../model/outcome.ts";
import { unstarted, type Adapter, type AdapterCall, type AdapterPorts, type EnvironmentCheck } from "../adapter.ts";
import { runOnHost } from "../host-call.ts";
import { endedOutcome, untilEnd } from "../http/until-end.ts";
import { runJob } from "../job.ts";
import { createClients } from "./client.ts";
import { LambdaConfigSchema, type LambdaConfig } from "./config.ts";
import { linesOf, outcomeOfFunctionError } from "./function-error.ts";
import { outcomeOfRefusal, statusOf } from "./refusals.ts";

/** Lambda's own bound on a payload, either way, less what stands around it. */
const PAYLOAD_BYTES = 6 * 1024 * 1024 - 16 * 1024;
/** A frame is JSON text, of which a string in JSON makes at most the double. */
const ORDER_BYTES = PAYLOAD_BYTES / 2;
/** The host ends the handler itself at its time-out; its answer is waited for so much longer. */
const GRACE_MS = 1_000;

type Target = { FunctionName: string; Qualifier?: string };

export function lambdaAdapter(ports: AdapterPorts): Adapter {
  const clientOf = createClients(ports);
  return {
    name: "lambda",
    summary: "Functions of AWS Lambda: our host for modules, and those that the team has",
    config: LambdaConfigSchema,
    secrets: {
      access_key_id: { required: true, summary: "Of a user or role that may lambda:InvokeFunction" },
      secret_access_key: { required: true, summary: "Its secret" },
      session_token: { required: false, summary: "Of temporary credentials" },
    },
    runs: ["module", "lambda"],

    async invoke(call): Promise<Outcome> {
      const { environment, operation } = call;
      try {
        const config = v.parse(LambdaConfigSchema, environment.config);
        const client = await clientOf(environment, config);
        const { implementation } = operation;
        if (implementation.kind === "lambda") {
          return await callFunction(call, client, targetOf(implementation.function, implementation.qualifier), ports);
        }
        if (config.invocation === "event") return await startEvent(call, client, hostOf(config), ports);
        return await callHost(call, client, hostOf(config), ports);
      } catch (thrown) {
        return outcomeOfRefusal(thrown, environment.name);
      }
    },

    async check(environment): Promise<EnvironmentCheck> {
      const startedAt = ports.now();
      try {
        const config = v.parse(LambdaConfigSchema, environment.config);
        const client = await clientOf(environment, config);
        await client.send(new InvokeCommand({ ...hostOf(config), InvocationType: "DryRun" }));
        const latency = ports.now() - startedAt;
        const needsUrl = config.invocation === "event" && ports.platformUrl === undefined;
        const missing = needsUrl ? ["Set PUBLIC_URL: with invocation: event the host reports to it."] : [];
        return { reachable: true, allowed: true, latency_ms: latency, missing, facts: { function: config.function } };
      } catch (thrown) {
        const { code, detail } = outcomeOfRefusal(thrown, environment.name).error;
        const reachable = statusOf(thrown) !== undefined;
        const allowed = code === "environment_refused" ? false : null;
        return { reachable, allowed, latency_ms: null, missing: [detail], facts: {} };
      }
    },
  };
}

const hostOf = (config: LambdaConfig): Target => targetOf(config.function, config.qualifier);

function targetOf(name: string, qualifier: string | null | undefined): Target {
  return { FunctionName: name, ...(typeof qualifier === "string" ? { Qualifier: qualifier } : {}) };
}

async function callHost(
  call: AdapterCall,
  client: LambdaClient,
  target: Target,
  ports: AdapterPorts,
): Promise<Outcome> {
  const carry = async (order: string): Promise<string | Outcome> => {
    const answer = await invoke(call, client, target, { payload: JSON.stringify({ order }) });
    if ("ok" in answer) return answer;
    if (answer.FunctionError !== undefined) {
      return outcomeOfFunctionError(answer, call, { isHost: true, nowMs: ports.now() });
    }
    const reply = replyIn(textOf(answer));
    if (reply !== undefined) return reply;
    const detail = `Cannot run "${call.operation.name}" in "${call.environment.name}": the function "${target.FunctionName}" must be Switchyard's host; it answers something else`;
    // What that function has done is unknown, so this is not called unstarted.
    return { ok: false, error: { code: "environment_misconfigured", detail }, retry: { kind: "may" }, logs: [] };
  };
  // Without a public address nothing can be fetched, so all that fits is sent, and the rest is refused by invoke().
  return runOnHost(call, carry, ports, ports.platformUrl === undefined ? {} : { maxBytes: ORDER_BYTES });
}

function replyIn(answer: string): string | undefined {
  try {
    const reply = (JSON.parse(answer) as { reply?: unknown } | null)?.reply;
    return typeof reply === "string" ? reply : undefined;
  } catch {
    return undefined;
  }
}

async function callFunction(
  call: AdapterCall,
  client: LambdaClient,
  target: Target,
  ports: AdapterPorts,
): Promise<Outcome> {
  const custom = contextOf(call.meta);
  const answer = await invoke(call, client, target, {
    payload: call.input,
    clientContext: btoa(JSON.stringify({ custom })),
  });
  if ("ok" in answer) return answer;
  const nowMs = ports.now();
  if (answer.FunctionError !== undefined) return outcomeOfFunctionError(answer, call, { isHost: false, nowMs });
  const logs = linesOf(answer.LogResult, nowMs);
  const output = textOf(answer) || "null";
  if (isJson(output)) return { ok: true, output, logs };
  const detail = `Cannot answer for "${call.operation.name}": its output must be JSON; the function "${target.FunctionName}" answers something else`;
  return { ok: false, error: { code: "output_not_json", detail }, retry: { kind: "may" }, logs };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Where it is not certain that it was refused, it is followed like one that was taken: a second event would run twice. */
function startEvent(call: AdapterCall, client: LambdaClient, target: Target, ports: AdapterPorts): Promise<Outcome> {
  return runJob(
    call,
    {
      async start({ id, url, token }) {
        const payload = JSON.stringify({ job_url: url, job_token: token });
        try {
          await client.send(new InvokeCommand({ ...target, InvocationType: "Event", Payload: bytesOf(payload) }));
        } catch (thrown) {
          const outcome = outcomeOfRefusal(thrown, call.environment.name);
          if (outcome.error.code !== "executor_lost") return outcome;
        }
        return { handle: id };
      },
      // Lambda tells nothing of one invocation: the report or the time-out ends it.
      look: async () => ({ kind: "running" }),
      stop: async () => undefined,
    },
    ports,
  );
}

type Sending = { payload: string; clientContext?: string };

/** One invocation that is waited for: Lambda's answer, or why there is none. */
async function invoke(
  call: AdapterCall,
  client: LambdaClient,
  target: Target,
  { payload, clientContext }: Sending,
): Promise<InvokeCommandOutput | Outcome> {
  const { environment, operation, meta, options } = call;
  const cancellation = options?.cancellation;
  const ended = endedOutcome(operation.name, meta.timeout_ms);
  if (cancellation?.requested) return { ...(ended("execution_cancelled") as Outcome & { ok: false }), unstarted: true };
  if (payload.length > PAYLOAD_BYTES || utf8Length(payload) > PAYLOAD_BYTES) {
    return unstarted(
      "payload_too_large",
      `Cannot send the input to "${environment.name}": a payload of Lambda must be at most ${PAYLOAD_BYTES} bytes; it is ${utf8Length(payload)}`,
      { retry: { kind: "never" }, hint: "set PUBLIC_URL, so that our host can fetch large inputs" },
    );
  }
  const command = new InvokeCommand({
    ...target,
    InvocationType: "RequestResponse",
    LogType: "Tail",
    Payload: bytesOf(payload),
    ...(clientContext === undefined ? {} : { ClientContext: clientContext }),
  });
  return untilEnd<InvokeCommandOutput | Outcome>(
    { timeoutMs: meta.timeout_ms + GRACE_MS, cancellation },
    async (abortSignal) => {
      try {
        return await client.send(command, { abortSignal });
      } catch (thrown) {
        return outcomeOfRefusal(thrown, environment.name);
      }
    },
    ended,
  );
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
/** The SDK gives null for an empty payload, against its own types. */
const textOf = ({ Payload }: InvokeCommandOutput): string => new TextDecoder().decode(Payload ?? undefined);
