/** choose → invoke → check output: what a synchronous call and an attempt of an asynchronous one have in common. */
import { unstarted, type Adapter, type AdapterCall } from "../adapters/adapter.ts";
import type { EnvironmentHandle } from "../model/environment.ts";
import type { InvocationMeta } from "../model/invocation.ts";
import type { Outcome, PassedOver } from "../model/outcome.ts";
import type { Principal } from "../model/principal.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { SpanStart } from "../telemetry/tracer.ts";
import { checkOutput } from "./check-output.ts";
import { withoutSecrets } from "../adapters/without-secrets.ts";
import { candidatesOf, noEnvironment, type EnvironmentPort } from "./choose.ts";
import type { Health } from "./health.ts";

export type InvokePorts = {
  environments: EnvironmentPort;
  adapters: ReadonlyMap<string, Adapter>;
  health: Health;
  now(): number;
  /** What the handler presents for ctx.call: this principal, at this depth. */
  capability(principalId: string, depth: number): string | Promise<string>;
  telemetry?: Telemetry | undefined;
};

export type Invocation = {
  operation: ResolvedOperation;
  /** It fits the input type, defaults filled in. */
  input: { text: string; value: unknown };
  principal: Principal;
  /** Of this call; what the handler calls in turn is one deeper. */
  depth: number;
  meta: Omit<InvocationMeta, "capability">;
  options?: AdapterCall["options"];
  /** The steps that an attempt before has begun, when it is a chain. */
  steps?: AdapterCall["steps"];
};

/** Where it ran, and which environments before that one did not run it. */
export type Place = { environment: string; passedOver: readonly PassedOver[] };

/**
 * Throws `no_environment` when nothing can run it; what the implementation did is an outcome. Where it is certain that
 * nothing has run, the next environment is tried; the last one's word is the outcome.
 */
export async function invoke(invocation: Invocation, ports: InvokePorts): Promise<{ outcome: Outcome } & Place> {
  const { operation, input, principal, depth, meta, options, steps } = invocation;
  const { telemetry } = ports;
  const { candidates, passedOver } = await candidatesOf(operation, ports.environments, ports.adapters);
  if (telemetry !== undefined) for (const each of passedOver) notePassedOver(meta, each, telemetry);
  if (candidates.length === 0) throw noEnvironment(operation, passedOver);
  const ordered = ports.health.order(candidates, ports.now());
  const capability = await ports.capability(principal.id, depth + 1);
  for (const [place, { adapter, environment }] of ordered.entries()) {
    const isLast = place === ordered.length - 1;
    const isJudged = adapter.judgesItself !== true;
    const refused = isJudged ? closed(operation, environment, ports) : undefined;
    const span = telemetry?.tracer?.begin(meta, attemptSpan(adapter, environment));
    const came =
      refused ??
      (await adapter.invoke({
        operation,
        environment,
        input: input.text,
        inputValue: input.value,
        principal,
        meta: { ...meta, ...span?.trace, capability },
        depth,
        isLast,
        ...(options === undefined ? {} : { options }),
        ...(steps === undefined ? {} : { steps }),
      }));
    const invoked = came.ok && came.logs.length === 0 ? came : await withoutSecrets(came, environment);
    span?.end(
      invoked.ok ? {} : { "switchyard.unstarted": invoked.unstarted },
      invoked.ok ? {} : { error: invoked.error.code },
    );
    if (refused === undefined && isJudged) ports.health.note(environment, invoked, ports.now());
    if (isLast || invoked.ok || invoked.unstarted !== true) {
      return { outcome: checkOutput(operation, invoked), environment: environment.name, passedOver };
    }
    passedOver.push({ environment: environment.name, code: invoked.error.code, reason: invoked.error.detail });
    telemetry?.meter?.count("passed_over", environment.name, invoked.error.code);
  }
  throw noEnvironment(operation, passedOver);
}

/** A place that said when to come back is not asked before. */
function closed(operation: ResolvedOperation, environment: EnvironmentHandle, ports: InvokePorts): Outcome | undefined {
  const ms = ports.health.closedFor(environment, ports.now());
  if (ms === 0) return undefined;
  return unstarted(
    "environment_throttled",
    `Cannot run "${operation.name}" in "${environment.name}" now: it asked to be left alone; it will be asked again in ${ms} ms`,
    { retry: { kind: "after", after_ms: ms } },
  );
}

function attemptSpan({ name: adapter }: Adapter, { name }: EnvironmentHandle): SpanStart {
  const attributes = { "switchyard.environment": name, "switchyard.adapter": adapter };
  return { name: `invoke ${adapter}`, kind: "client", attributes };
}

/** An environment that was not even asked leaves a span without length. */
function notePassedOver(
  meta: Invocation["meta"],
  { environment, code }: PassedOver,
  { meter, tracer }: Telemetry,
): void {
  meter?.count("passed_over", environment, code);
  const attributes = { "switchyard.environment": environment, "switchyard.unstarted": true };
  tracer?.begin(meta, { name: "pass over", kind: "internal", attributes })?.end({}, { error: code });
}
