/**
 * Makes attempts: a stateless invocation that takes a group of claims of one shard, runs each as dispatch does, and
 * reports how they ended. While one goes on its lease is renewed, and it is told to stop when it does not count any more.
 */
import { Cancellation } from "../core/cancellation.ts";
import { ERRORS, SwitchyardError, toErrorData, toSwitchyardError } from "../core/errors.ts";
import { contextOf } from "../core/trace.ts";
import { invoke } from "../dispatch/invoke.ts";
import type { Outcome } from "../model/outcome.ts";
import type { SpanStart } from "../telemetry/tracer.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { runBatch } from "./_batch-attempt.ts";
import { endingOf } from "./_ending.ts";
import type { Run, RunnerPorts, RunnerShard } from "./_runner-ports.ts";
import { Settler, type Ended } from "./_settler.ts";
import type { Claim } from "./messages.ts";

/** How often leases are renewed; also how soon an attempt hears that it was cancelled. */
const RENEW_MS = 1_000;

type Open = { attempt: number; cancellation: Cancellation };

export async function runClaims(claims: readonly Claim[], shard: RunnerShard, ports: RunnerPorts): Promise<void> {
  const open = new Map<string, Open>();
  let going = claims.length;
  const settler = new Settler(() => going, shard, ports);
  const group = {};
  if (claims.every(({ urgent }) => urgent !== true)) await ports.giveWay();
  void renewLeases(open, shard);
  await Promise.all(
    claims.map(async (claim) => {
      const cancellation = new Cancellation();
      open.set(claim.id, { attempt: claim.attempt, cancellation });
      const ended = await attempt(claim, { group, cancellation }, shard, ports);
      going -= 1;
      // Its lease is renewed until its end is known to the shard, however long that takes.
      await settler.add(ended);
      open.delete(claim.id);
    }),
  );
}

async function renewLeases(open: ReadonlyMap<string, Open>, shard: RunnerShard): Promise<void> {
  for (;;) {
    // What is left of the last wait ends with the invocation.
    await scheduler.wait(RENEW_MS);
    if (open.size === 0) return;
    try {
      const gone = await shard.renew([...open].map(([id, { attempt: number }]) => ({ id, attempt: number })));
      for (const id of gone) open.get(id)?.cancellation.request();
    } catch {
      // It may be restarting. The lease outlasts several of these.
    }
  }
}

type Options = { group: object; cancellation: Cancellation };

async function attempt(claim: Claim, options: Options, shard: RunnerShard, ports: RunnerPorts): Promise<Ended> {
  const startedAt = ports.now();
  const { telemetry } = ports;
  const span = telemetry?.tracer?.begin(claim.head, spanOf(claim));
  let run: Run & { operation?: ResolvedOperation };
  try {
    run = await runOnce(
      span === undefined ? claim : { ...claim, head: { ...claim.head, ...span.trace } },
      options,
      shard,
      ports,
    );
  } catch (thrown) {
    const error = toErrorData(toSwitchyardError(thrown));
    // A refusal before anything ran. What its caller would have to mend, nobody mends for a kept call.
    const hopeless = ERRORS[error.code].fault === "user";
    const outcome: Outcome = { ok: false, error, retry: { kind: hopeless ? "never" : "may" }, logs: [] };
    run = { outcome, environment: null, passedOver: [], ending: await endingOf(claim, outcome, ports) };
  }
  const { outcome, environment, passedOver, ending, operation } = run;
  const wanted = operation === undefined ? undefined : await ports.wanted(operation, claim.head.caller);
  const code = outcome.ok ? null : outcome.error.code;
  span?.end(
    { "switchyard.environment": environment ?? undefined, "switchyard.ending": ending.kind },
    { error: code ?? undefined },
  );
  const ms = ports.now() - startedAt;
  const end = { outcome: ending.kind, number: claim.attempt };
  telemetry?.meter?.attempt({ operation: claim.operation, environment, code, ms }, end);
  return {
    outcome,
    settlement: {
      id: claim.id,
      attempt: claim.attempt,
      environment,
      ...(passedOver.length === 0 ? {} : { passed_over: passedOver }),
      started_at: startedAt,
      finished_at: ports.now(),
      ending,
      ...(outcome.logs.length === 0 ? {} : { logs: outcome.logs }),
      ...(wanted === undefined ? {} : { wanted }),
    },
  };
}

async function runOnce(
  claim: Claim,
  options: Options,
  shard: RunnerShard,
  ports: RunnerPorts,
): Promise<Run & { operation: ResolvedOperation }> {
  const { operation: name, head } = claim;
  const { operation } = await ports.registry.resolve(name, { revision: head.revision });
  // Closing an operation holds back what waits for it; it goes on when the operation is opened again.
  if (!operation.active) {
    throw new SwitchyardError("operation_inactive", `Cannot run "${name}" now: its row says active: false`);
  }
  const text = await ports.payloads.read(claim.input);
  const builtin = operation.implementation.kind === "builtin";
  const call = {
    operation,
    principal: builtin
      ? await ports.registry.principalById(head.principal)
      : { id: head.principal, name: head.principal, scopes: [] },
    depth: head.depth,
    options,
    meta: {
      execution_id: claim.id,
      attempt: claim.attempt,
      operation: name,
      revision: head.revision,
      caller: head.caller,
      ...contextOf(head),
      timeout_ms: head.timeout_ms,
    },
  };
  if (head.batch) {
    const run = await runBatch(claim, { ...call, items: JSON.parse(text) as unknown[] }, shard, ports);
    return { ...run, operation };
  }
  const input = { text, value: builtin ? (JSON.parse(text) as unknown) : undefined };
  const { outcome, environment, passedOver } = await invoke(
    {
      ...call,
      input,
      meta: { ...call.meta, live: true },
      ...(claim.steps === undefined ? {} : { steps: claim.steps }),
    },
    ports,
  );
  return { outcome, environment, passedOver, ending: await endingOf(claim, outcome, ports), operation };
}

/** In the trace of the call that was accepted, whose span it is also linked to: it may have ended long ago. */
function spanOf({ id, operation, attempt: number, head }: Claim): SpanStart {
  return {
    name: "attempt",
    kind: "consumer",
    link: head,
    attributes: {
      "switchyard.operation": operation,
      "switchyard.revision": head.revision,
      "switchyard.attempt": number,
      "switchyard.caller.type": head.caller.type,
      "faas.invocation_id": id,
    },
  };
}
