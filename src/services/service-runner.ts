/**
 * What a service's object has done elsewhere, in stateless invocations: rows read, steps carried out, requirements asked. Steps enter at
 * dispatch() as the service's own principal, so that a team's own operations stand in for ours. Texts are JSON, see messages.ts.
 */
import * as v from "valibot";
import {
  ERRORS,
  SwitchyardError,
  toErrorData,
  toSwitchyardError,
  type ErrorCode,
  type ErrorData,
} from "../core/errors.ts";
import { beginTrace } from "../core/trace.ts";
import { dispatch, type DispatchPorts } from "../dispatch/dispatch.ts";
import type { Outcome } from "../model/outcome.ts";
import { STEP_DEFAULTS, type ServiceRow } from "../model/services.ts";
import { triggerPrincipalId } from "../model/triggers.ts";
import { observeOutput, reportOutput } from "../registry/builtins/service-functions.ts";
import type { Registry } from "../registry/registry.ts";
import { rowOfGone, STRAYS_AT_ONCE } from "./_strays.ts";
import type { AskAnswer, AskOrder, GoneRow, LookAnswer, PoolReport, StepAnswer, StepOrder } from "./messages.ts";
import { settingsOf, type SettingsPorts } from "./settings.ts";

export type ServiceRunnerPorts = SettingsPorts & {
  registry: SettingsPorts["registry"] & Pick<Registry, "trigger" | "wasThere">;
  dispatch: DispatchPorts;
  /** Stops one whose row is gone, so that nobody can be called for it. */
  stop(order: StepOrder & { do: "stop" }): Promise<void>;
  /** Tells a service's object what a runner has of it. */
  reported(service: string, report: string): Promise<void>;
};

/** An operation that is asynchronous by its row is waited for. */
const WAIT_MS = 5 * 60_000;

/** What only people mend, though it is no fault of a caller. */
const FOR_PEOPLE: ReadonlySet<ErrorCode> = new Set([
  "environment_forbids",
  "environment_misconfigured",
  "environment_refused",
  "output_invalid",
  "host_outdated",
]);

export async function lookFor(service: string, ports: ServiceRunnerPorts): Promise<string> {
  let answer: LookAnswer;
  try {
    answer = { settings: await settingsOf(service, ports) };
  } catch (thrown) {
    answer = { error: toErrorData(toSwitchyardError(thrown)) };
  }
  return JSON.stringify(answer);
}

export async function stepText(text: string, ports: ServiceRunnerPorts): Promise<string> {
  let answer: StepAnswer;
  try {
    answer = await carryOut(JSON.parse(text) as StepOrder, ports);
  } catch (thrown) {
    answer = failure(toErrorData(toSwitchyardError(thrown)));
  }
  return JSON.stringify(answer);
}

export async function askText(text: string, ports: ServiceRunnerPorts): Promise<string> {
  const { service, leaf } = JSON.parse(text) as AskOrder;
  let answer: AskAnswer;
  try {
    const row = await ports.registry.trigger("service", service);
    if (row === undefined) throw gone(service);
    const outcome = await call(row, { operation: leaf.operation, input: leaf.input }, ports);
    if (outcome === undefined) answer = {};
    else answer = outcome.ok ? { holds: JSON.parse(outcome.output) === true } : { error: outcome.error };
  } catch (thrown) {
    answer = { error: toErrorData(toSwitchyardError(thrown)) };
  }
  return JSON.stringify(answer);
}

/**
 * PoolReport of what a runner says is a service's. Only what is one, or was, has an object: whoever makes up names leaves nothing behind.
 * What it has under such a name is stopped, for nobody could.
 */
export async function passOn(service: string, text: string, ports: ServiceRunnerPorts): Promise<void> {
  const isKnown = (await ports.registry.trigger("service", service)) !== undefined;
  if (isKnown || (await ports.registry.wasThere("service", service))) return ports.reported(service, text);
  const { environment, replicas } = JSON.parse(text) as PoolReport;
  const strays = replicas.filter(({ status }) => status !== "ended").slice(0, STRAYS_AT_ONCE);
  const row = rowOfGone(service);
  await Promise.all(
    strays.map(({ replica, place, address }) =>
      ports.stop({ do: "stop", service, environment, replica, place, address, row, isStray: true }),
    ),
  );
}

async function carryOut(order: StepOrder, ports: ServiceRunnerPorts): Promise<StepAnswer> {
  const row = await ports.registry.trigger("service", order.service);
  const by: GoneRow | undefined = row ?? (order.do === "stop" ? order.row : undefined);
  if (by === undefined) throw gone(order.service);
  const operation = by.operations[order.do];
  const isOurs = row === undefined && operation === STEP_DEFAULTS.stop;
  if (order.do === "stop" && (isOurs || order.isStray === true)) {
    await ports.stop(order);
    return { kind: "stopped" };
  }
  const outcome = await call(by, { operation, ...givenTo(order) }, ports);
  if (outcome === undefined) {
    const detail = `Cannot wait for "${operation}" any longer: it must end within ${WAIT_MS} ms; it goes on`;
    return failure({ code: "timeout", detail });
  }
  if (!outcome.ok) return failure(outcome.error, outcome.retry.kind === "never");
  const output: unknown = JSON.parse(outcome.output);
  switch (order.do) {
    case "start":
      return { kind: "started", report: told(operation, reportOutput, output) };
    case "stop":
      return { kind: "stopped" };
    case "observe":
      return { kind: "observed", reports: told(operation, observeOutput, output).replicas };
  }
}

/** `key`: whoever starts it again starts it once, where the operation is asynchronous. */
function givenTo(order: StepOrder): { input: Record<string, unknown>; key?: string } {
  const { service, environment } = order;
  switch (order.do) {
    case "start": {
      const { replica, revision, count, place } = order;
      const key = `${service} ${replica} ${revision} ${count}`;
      return { input: { service, replica, revision, count, place: place ?? "", environment }, key };
    }
    case "stop": {
      const { replica, place, address } = order;
      return { input: { service, replica, place, address, environment } };
    }
    case "observe":
      return { input: { service, replicas: order.replicas, environment } };
  }
}

async function call(
  row: Pick<ServiceRow, "name" | "scopes">,
  { operation, input, key }: { operation: string; input: unknown; key?: string },
  ports: Pick<ServiceRunnerPorts, "dispatch">,
): Promise<Outcome | undefined> {
  const id = triggerPrincipalId("service", row.name);
  const text = JSON.stringify(input);
  const { operation: known } = await ports.dispatch.registry.resolve(operation, {});
  const { outcome } = await dispatch(
    {
      name: operation,
      input: { text, value: JSON.parse(text) as unknown },
      principal: { id, name: id, scopes: row.scopes },
      caller: { type: "service", id: row.name },
      depth: 0,
      ...beginTrace(),
      ...(known.isAsync ? { waitMs: WAIT_MS, ...(key === undefined ? {} : { idempotencyKey: key }) } : {}),
    },
    ports.dispatch,
  );
  return outcome;
}

function told<S extends v.GenericSchema>(operation: string, schema: S, output: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, output);
  if (parsed.success) return parsed.output;
  throw new SwitchyardError(
    "output_invalid",
    `Cannot use what "${operation}" answered: it must be what our own operation answers; ${parsed.issues[0].message}`,
  );
}

function failure(error: ErrorData, isFinal = false): StepAnswer {
  const { status, fault } = ERRORS[error.code];
  const again = !isFinal && !FOR_PEOPLE.has(error.code) && (fault === "system" || status === 429);
  return { kind: "failed", error, again };
}

function gone(service: string): SwitchyardError {
  return new SwitchyardError(
    "entity_not_found",
    `Cannot act for the service "${service}": it must be registered; there is none of that name`,
  );
}
