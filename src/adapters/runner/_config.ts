/** What a row of the adapter `runner` may say. */
import * as v from "valibot";
import type { EnvironmentHandle } from "../../model/environment.ts";

const IpSchema = v.pipe(v.string(), v.ip("must be an IP address, such as 10.0.0.5"));

const whole = (least: number, most: number) => v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));

export const RunnerConfigSchema = v.strictObject({
  /** Calls that may wait for a runner before more are refused. */
  max_queued: v.optional(whole(0, 100_000), 1_000),
  /** How long a call that somebody waits for may itself wait for a runner. Milliseconds. */
  wait_ms: v.optional(whole(0, 15 * 60_000), 5_000),
  /** How long a runner whose connection broke keeps what it runs. Milliseconds. */
  resume_ms: v.optional(whole(0, 60_000), 3_000),
  /** Addresses at which replicas may be reached without their runner. Left out: any but the platform's own machine. */
  service_hosts: v.exactOptional(v.pipe(v.array(IpSchema), v.maxLength(256))),
});
export type RunnerConfig = v.InferOutput<typeof RunnerConfigSchema>;

/** Rows do not change in the registry's cache: each is read once, not with every call. */
const configs = new WeakMap<object, RunnerConfig>();

export function configOf({ config }: Pick<EnvironmentHandle, "config">): RunnerConfig {
  let known = configs.get(config);
  if (known === undefined) configs.set(config, (known = v.parse(RunnerConfigSchema, config)));
  return known;
}
