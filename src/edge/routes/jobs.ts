/**
 * Signed callbacks of jobs: GET /jobs/:id answers the order, POST /jobs/:id takes the report. Public by the route table:
 * what lets a job in is its ticket, which is good for this job alone and looked at before anything else.
 */
import { parseReport, REPORT_RULE } from "../../adapters/job-report.ts";
import { SwitchyardError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { joinFrame } from "../../model/frame.ts";
import { bearerOf } from "../authenticate.ts";
import { readBytes } from "../body.ts";
import type { RouteContext } from "../context.ts";
import { matching } from "../parameters.ts";

const JOB_ID = { pattern: /^[a-z0-9-]{1,60}$/, rule: "be a job's id" };
/** The output, and a head with the log lines. */
const REPORT_BYTES = LIMITS.jsonBytes + 4 * 1024 * 1024;

/** A frame; to `Accept: application/json` the bare input, for containers that need no more. */
export async function getJobOrder(context: RouteContext): Promise<Response> {
  const order = await context.var.platform.jobs.order(idOf(context), bearerOf(context.req.raw.headers));
  const isBare = context.req.header("accept") === "application/json";
  return new Response(isBare ? order.input : joinFrame(order.head, order.input), {
    headers: {
      "content-type": isBare ? "application/json" : "text/plain; charset=utf-8",
      "cache-control": "no-store",
    },
  });
}

export async function postJobReport(context: RouteContext): Promise<Response> {
  const { jobs } = context.var.platform;
  const [id, ticket] = [idOf(context), bearerOf(context.req.raw.headers)];
  await jobs.verify(id, ticket);
  const bytes = await readBytes(context.req.raw, REPORT_BYTES);
  const text = decode(bytes);
  if (parseReport(text) === undefined) {
    throw new SwitchyardError("bad_request", `Cannot read the report: ${REPORT_RULE}; it is neither`);
  }
  await jobs.report(id, ticket, text);
  return Response.json({ taken: true });
}

function idOf(context: RouteContext): string {
  return matching(context.req.param("id") ?? "", "id", JOB_ID);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SwitchyardError("invalid_utf8", "Cannot read the report: it must be UTF-8; it is not");
  }
}
