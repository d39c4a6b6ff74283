/**
 * The host as a function of AWS Lambda. An event is `{order}`, answered with `{reply}`, or `{job_url, job_token}`, which
 * is fetched and reported as a job. Modules run on a `deno` binary of the bundle or a layer; where there is none, on
 * Node, whose only wall is the function itself: see docs/adapters/host.md.
 */
import { SwitchyardError } from "../core/errors.ts";
import { redactLine } from "../core/redact.ts";
import { hostSettings } from "./_settings.node.ts";
import { createHost, type Host } from "./core.node.ts";
import { runJobDoor } from "./job-door.node.ts";

/** Lambda's own bound is 6 MB; what is longer becomes an artifact. Bytes of the reply as a JSON string. */
const MOST_REPLY_BYTES = 5.5 * 1024 * 1024;

let host: Host | undefined;

/** Throws only where there is nobody to answer to: Lambda then reports the function's error, or tries the event again. */
export async function handler(event: unknown): Promise<{ reply: string } | { end: string }> {
  host ??= createLambdaHost(process.env);
  const { order, job_url: url, job_token: token } = (event ?? {}) as Record<string, unknown>;
  if (typeof order === "string") return { reply: await host.run(order) };
  if (typeof url !== "string" || typeof token !== "string") {
    throw new SwitchyardError(
      "bad_request",
      "Cannot read the event: it must be {order} or {job_url, job_token}; it is neither",
    );
  }
  const end = await runJobDoor(host, { url, token, log });
  if (end === "unreached") throw new Error("Cannot report the job: the platform must answer; it does not");
  return { end };
}

function createLambdaHost(env: NodeJS.ProcessEnv): Host {
  // Where a layer and the bundle put programs.
  const PATH = [env["PATH"], env["LAMBDA_TASK_ROOT"], "/opt/bin"].filter((folder) => folder !== undefined).join(":");
  process.env["PATH"] = PATH;
  // Lambda sends an instance one event at a time.
  const settings = { ...hostSettings(env, { runtime: "any" }), slots: 1 };
  return createHost({ ...settings, maxReplyBytes: MOST_REPLY_BYTES, log });
}

function log(line: string): void {
  process.stderr.write(`${redactLine(line)}\n`);
}
