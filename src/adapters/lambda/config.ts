/** What a row of kind `lambda` may say. What has no effect is refused. */
import * as v from "valibot";

export const LambdaConfigSchema = v.strictObject({
  region: v.pipe(v.string(), v.regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "must be a region, like eu-central-1")),
  /** Of our host: its name or ARN. */
  function: v.optional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9:_-]{1,170}$/, "must be a function's name or ARN")),
    "switchyard-host",
  ),
  /** Of our host: a version or an alias. Absent: $LATEST. */
  qualifier: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9$_-]{1,128}$/))),
  /**
   * How the host is called: `sync` waits for the answer, `event` lets it report by callback, which needs PUBLIC_URL. The
   * team's own functions know nothing of callbacks and are always called with `sync`.
   */
  invocation: v.optional(v.picklist(["sync", "event"]), "sync"),
  /** Instead of the region's public one: a VPC endpoint, a simulator. */
  endpoint: v.optional(v.pipe(v.string(), v.url(), v.regex(/^https?:\/\//, "must be an http or https address"))),
  network: v.optional(v.picklist(["public", "private"]), "public"),
});
export type LambdaConfig = v.InferOutput<typeof LambdaConfigSchema>;
