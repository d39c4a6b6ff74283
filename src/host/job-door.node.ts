/**
 * The host as a job: it fetches one order, runs it, and reports the reply to the same URL with the same bearer. The run
 * happens once, however often fetching and reporting have to be tried.
 */
import { Cancellation } from "../core/cancellation.ts";
import { SwitchyardError } from "../core/errors.ts";
import { joinFrame } from "../model/frame.ts";
import { hostSettings } from "./_settings.node.ts";
import { createHost, type Host } from "./core.node.ts";

export type JobDoorOptions = {
  url: string;
  token: string;
  /** The place wants its machine back: the work is stopped, and what is reported is that it was lost. */
  stop?: Cancellation;
  log: (line: string) => void;
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  sleep?: (ms: number) => Promise<void>;
};

/** `refused`: the platform does not want this job any more. `unreached`: it gave no answer in the time there is. */
export type JobEnd = "reported" | "refused" | "unreached";

/** Between tries, doubled each time up to the second. Ten of them come to about a minute and a half. Milliseconds. */
const PAUSE_MS = { first: 250, most: 20_000 };
const TRIES = 10;
const ANSWER_WITHIN_MS = 60_000;

export async function runJobDoor(host: Host, options: JobDoorOptions): Promise<JobEnd> {
  const { log, stop } = options;
  const asked = await exchange("fetch the order", { method: "GET" }, options);
  if (typeof asked === "string") return asked;
  const reply = await host.run(asked.text, stop === undefined ? {} : { cancellation: stop });
  const report = stop?.requested === true ? LOST : reply;
  const told = await exchange("report", { method: "POST", body: report }, options);
  if (typeof told === "string") return told;
  log("job: reported");
  return "reported";
}

const LOST = joinFrame(
  {
    ok: false,
    error: {
      code: "executor_lost",
      detail: "Cannot finish the job: its place must let it end; it was told to stop (SIGTERM)",
    },
    retry: { kind: "may" },
    logs: [],
  },
  "",
);

/** One request, tried until it is answered. What the platform refuses outright is not asked again. */
async function exchange(
  doing: string,
  init: RequestInit,
  { url, token, log, fetch: send = fetch, sleep = wait }: JobDoorOptions,
): Promise<{ text: string } | "refused" | "unreached"> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/octet-stream" };
  let pauseMs = PAUSE_MS.first;
  for (let tries = 1; ; tries++) {
    let why: string;
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const response = await send(url, { ...init, headers, redirect: "error", signal });
      const text = await response.text();
      if (response.ok) return { text };
      why = `the platform answered ${response.status}: ${text.slice(0, 500)}`;
      const mayPass = response.status >= 500 || response.status === 429 || response.status === 408;
      if (!mayPass) {
        log(`job: cannot ${doing}: ${why}`);
        return "refused";
      }
    } catch (thrown) {
      const { message, cause } = thrown as Error;
      why = cause instanceof Error ? `${message}: ${cause.message}` : message;
    }
    log(`job: cannot ${doing} (${tries} of ${TRIES}): ${why}`);
    if (tries === TRIES) return "unreached";
    await sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most);
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** The whole process: true when it has reported. Throws usage where it was not told what to do. */
export async function jobMain(env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<boolean> {
  const { SWITCHYARD_JOB_URL: url = "", SWITCHYARD_JOB_TOKEN: token = "" } = env;
  if (!URL.canParse(url) || token === "") {
    throw new SwitchyardError(
      "usage",
      "Cannot run a job: SWITCHYARD_JOB_URL and SWITCHYARD_JOB_TOKEN must be set by what starts it; they are not",
    );
  }
  const host = createHost({ ...hostSettings(env, { runtime: "deno" }), log });
  const stop = new Cancellation();
  const onTerm = () => stop.request();
  process.once("SIGTERM", onTerm);
  try {
    return (await runJobDoor(host, { url, token, stop, log })) === "reported";
  } finally {
    process.off("SIGTERM", onTerm);
    await host.close();
  }
}
