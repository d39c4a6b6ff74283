/**
 * What every adapter of another place keeps true, whatever the place does: one outcome a call, in words that the rest of
 * the platform knows, and `unstarted` exactly where it is certain that nothing has run. Each adapter's test builds a place
 * that can be told how to behave; what a place cannot do it names, and the reason is printed with the skip.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Adapter, EnvironmentHandle } from "../../../src/adapters/adapter.ts";
import { Cancellation } from "../../../src/core/cancellation.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import type { Outcome } from "../../../src/model/outcome.ts";
import type { Implementation } from "../../../src/model/resolved.ts";
import { parseTraceparent, type TraceContext } from "../../../src/core/trace.ts";
import { Health } from "../../../src/dispatch/health.ts";
import { invoke as dispatchInvoke } from "../../../src/dispatch/invoke.ts";
import { createTracer, type Span } from "../../../src/telemetry/tracer.ts";
import { callOf, TRACE, TRACESTATE, type CallChanges } from "./call-of.ts";

/** What a place does with calls from now on. */
export type Behaviour =
  | { kind: "value"; value: unknown }
  /** Answers the input. */
  | { kind: "echo" }
  | { kind: "fails"; detail: string; retry: "may" | "never" }
  | { kind: "hangs" }
  /** Refuses for lack of room, so many times; then echoes. */
  | { kind: "throttles"; times: number }
  | { kind: "refuses_credentials" }
  | { kind: "unreachable" }
  /** The same outcome is delivered, and then another. */
  | { kind: "answers_twice"; value: unknown }
  /** The connection is lost after the work began. */
  | { kind: "breaks_off" }
  /** What the row names does not exist there. */
  | { kind: "missing" };

export type Cannot = Partial<Record<Behaviour["kind"] | "stop" | "trace" | "cancel" | "too_large", string>>;

export type Place = {
  adapter: Adapter;
  environment: EnvironmentHandle;
  implementation: Implementation;
  /** Values that must appear in no outcome. */
  secrets?: readonly string[];
  behave(behaviour: Behaviour): void;
  /** How often the implementation has run since. */
  runs(): number;
  /** The trace that the implementation saw last. */
  trace(): TraceContext | undefined;
  /** Whether the place was told to stop the work. */
  stopped(): boolean;
  /** The longest input that the place takes. Bytes. */
  maxBytes?: number;
  close(): Promise<void>;
};

/** Time-outs of places that hang. Milliseconds. */
const SHORT_MS = 150;
const LATE_MS = 3_000;

/** The test, or a skip with the reason in its title where the place cannot do what it needs. */
function itWhen(cannot: Cannot, needs: readonly (keyof Cannot)[], title: string): (test: () => Promise<void>) => void {
  const reason = needs.map((need) => cannot[need]).find((each) => each !== undefined);
  return (test) => {
    if (reason === undefined) it(title, test);
    else it.skip(`${title} (SKIPPED: ${reason})`, () => undefined);
  };
}

/** As dispatch does it, with spans going to `spans`; undefined: nothing is traced. */
async function invokeTraced(
  { adapter, environment, implementation }: Place,
  spans: Span[] | undefined,
): Promise<Outcome> {
  const { operation, input, inputValue, principal, depth, meta } = callOf(implementation, { n: 1 }, { environment });
  const take = (span: Span) => void spans?.push(span);
  const tracer = spans === undefined ? undefined : createTracer({ sampler: () => true, take, now: Date.now });
  const { outcome } = await dispatchInvoke(
    { operation, input: { text: input, value: inputValue }, principal, depth, meta },
    {
      environments: { environment: async () => environment, environments: async () => [environment] },
      adapters: new Map([[environment.adapter, adapter]]),
      health: new Health(),
      now: Date.now,
      capability: () => "the-capability",
      telemetry: tracer === undefined ? undefined : { meter: undefined, tracer },
    },
  );
  return outcome;
}

export function describeAdapterContract(name: string, setUp: () => Promise<Place>, cannot: Cannot = {}): void {
  describe(`the adapter contract on ${name}`, () => {
    let place: Place;
    beforeEach(async () => {
      place = await setUp();
    });
    afterEach(() => place.close());

    const invoke = (input: unknown = { n: 1 }, changes: CallChanges = {}): Promise<Outcome> =>
      place.adapter.invoke(callOf(place.implementation, input, { environment: place.environment, ...changes }));

    /** The refusal of a place in which nothing has run. */
    const refused = async (code: ErrorCode): Promise<Outcome & { ok: false }> => {
      const outcome = await invoke();
      expect(outcome).toMatchObject({ ok: false, unstarted: true, error: { code } });
      expect(place.runs()).toBe(0);
      for (const secret of place.secrets ?? []) expect(JSON.stringify(outcome)).not.toContain(secret);
      return outcome as Outcome & { ok: false };
    };

    it.each([
      ["null", null],
      ["a bare value", "text"],
      ["an object", { a: [1, { b: true }] }],
    ])("answers %s, run once", async (_what, value) => {
      place.behave({ kind: "value", value });
      expect(await invoke()).toMatchObject({ ok: true, output: JSON.stringify(value) });
      expect(place.runs()).toBe(1);
    });

    it("hands the input on as it is", async () => {
      place.behave({ kind: "echo" });
      const input = { n: 1, text: 'ä\n"\u2028' };
      const outcome = await invoke(input);
      expect(outcome.ok && JSON.parse(outcome.output)).toEqual(input);
    });

    itWhen(
      cannot,
      ["trace"],
      "hands on the trace as it came when nothing is traced here",
    )(async () => {
      place.behave({ kind: "echo" });
      expect((await invokeTraced(place, undefined)).ok).toBe(true);
      expect(place.trace()).toEqual({ traceparent: TRACE, tracestate: TRACESTATE });
    });

    itWhen(
      cannot,
      ["trace"],
      "hands on the span of the attempt when it is traced: a child of what came, in the same trace",
    )(async () => {
      place.behave({ kind: "echo" });
      const spans: Span[] = [];
      expect((await invokeTraced(place, spans)).ok).toBe(true);
      const [span] = spans;
      const came = parseTraceparent(TRACE);
      expect(span).toMatchObject({ kind: "client", traceId: came?.traceId, parentSpanId: came?.spanId });
      expect(span?.spanId).not.toBe(came?.spanId);
      const traceparent = `00-${came?.traceId}-${span?.spanId}-01`;
      expect(place.trace()).toEqual({ traceparent, tracestate: TRACESTATE });
    });

    itWhen(
      cannot,
      ["trace"],
      "makes no tracestate where none came",
    )(async () => {
      place.behave({ kind: "echo" });
      const call = callOf(place.implementation, {}, { environment: place.environment });
      const { tracestate: _, ...meta } = call.meta;
      await place.adapter.invoke({ ...call, meta });
      expect(place.trace()).toEqual({ traceparent: TRACE });
    });

    for (const retry of ["may", "never"] as const) {
      itWhen(
        cannot,
        ["fails"],
        `answers a failure that ${retry} be tried again, with its words, run once`,
      )(async () => {
        place.behave({ kind: "fails", detail: "the disk is gone", retry });
        const outcome = await invoke();
        expect(outcome).toMatchObject({ ok: false, error: { code: "implementation_failed" }, retry: { kind: retry } });
        expect(outcome).toMatchObject({ error: { detail: expect.stringContaining("the disk is gone") as string } });
        expect(outcome).not.toHaveProperty("unstarted");
        expect(place.runs()).toBe(1);
      });
    }

    itWhen(
      cannot,
      ["hangs"],
      "ends a call at its time-out",
    )(async () => {
      place.behave({ kind: "hangs" });
      const startedAt = performance.now();
      const outcome = await invoke({ n: 1 }, { timeoutMs: SHORT_MS });
      expect(outcome).toMatchObject({ ok: false, error: { code: "timeout" } });
      expect(outcome).not.toHaveProperty("unstarted");
      expect(performance.now() - startedAt).toBeLessThan(SHORT_MS + LATE_MS);
    });

    itWhen(
      cannot,
      ["hangs", "stop"],
      "tells the place to stop what is past its time-out",
    )(async () => {
      place.behave({ kind: "hangs" });
      await invoke({ n: 1 }, { timeoutMs: SHORT_MS });
      await expect.poll(() => place.stopped()).toBe(true);
    });

    itWhen(
      cannot,
      ["hangs", "cancel"],
      "ends a call that nobody wants any more",
    )(async () => {
      place.behave({ kind: "hangs" });
      const cancellation = new Cancellation();
      const running = invoke({ n: 1 }, { timeoutMs: 30_000, options: { cancellation } });
      await expect.poll(() => place.runs()).toBe(1);
      cancellation.request();
      expect(await running).toMatchObject({ ok: false, error: { code: "execution_cancelled" } });
      if (cannot.stop === undefined) await expect.poll(() => place.stopped()).toBe(true);
    });

    itWhen(
      cannot,
      ["hangs", "cancel"],
      "runs nothing that was cancelled before",
    )(async () => {
      place.behave({ kind: "echo" });
      const cancellation = new Cancellation();
      cancellation.request();
      const outcome = await invoke({ n: 1 }, { options: { cancellation } });
      expect(outcome).toMatchObject({ ok: false, error: { code: "execution_cancelled" } });
      expect(place.runs()).toBe(0);
    });

    itWhen(
      cannot,
      ["throttles"],
      "answers a place without room as throttled, and runs once when there is room",
    )(async () => {
      place.behave({ kind: "throttles", times: 2 });
      await refused("environment_throttled");
      await refused("environment_throttled");
      expect(await invoke()).toMatchObject({ ok: true });
      expect(place.runs()).toBe(1);
    });

    itWhen(
      cannot,
      ["refuses_credentials"],
      "answers refused credentials as such, to be tried when they are renewed",
    )(async () => {
      place.behave({ kind: "refuses_credentials" });
      expect((await refused("environment_refused")).retry.kind).toBe("may");
    });

    itWhen(
      cannot,
      ["unreachable"],
      "answers a place that cannot be reached as unavailable",
    )(async () => {
      place.behave({ kind: "unreachable" });
      await refused("environment_unavailable");
    });

    itWhen(
      cannot,
      ["missing"],
      "answers what does not exist there as misconfigured",
    )(async () => {
      place.behave({ kind: "missing" });
      await refused("environment_misconfigured");
    });

    itWhen(
      cannot,
      ["breaks_off"],
      "answers work that was lost on the way as lost, and never as unstarted",
    )(async () => {
      place.behave({ kind: "breaks_off" });
      const outcome = await invoke();
      expect(outcome).toMatchObject({ ok: false, error: { code: "executor_lost" } });
      expect(outcome).not.toHaveProperty("unstarted");
    });

    itWhen(
      cannot,
      ["answers_twice"],
      "takes the first of two outcomes, and no harm from the second",
    )(async () => {
      place.behave({ kind: "answers_twice", value: 1 });
      expect(await invoke()).toMatchObject({ ok: true, output: "1" });
      expect(place.runs()).toBe(1);
      place.behave({ kind: "value", value: 2 });
      expect(await invoke()).toMatchObject({ ok: true, output: "2" });
    });

    itWhen(
      cannot,
      ["too_large"],
      "refuses an input that the place cannot take, for good, and runs nothing",
    )(async () => {
      place.behave({ kind: "echo" });
      const outcome = await invoke("x".repeat((place.maxBytes ?? 0) + 1));
      expect(outcome).toMatchObject({ ok: false, error: { code: "payload_too_large" }, retry: { kind: "never" } });
      expect(outcome).toMatchObject({ unstarted: true });
      expect(place.runs()).toBe(0);
    });
  });
}
