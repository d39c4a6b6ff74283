/** One test of a webhook: the sample, who signs it, and what becomes of it. */
import { readFileSync } from "node:fs";
import { isErrorCode, SwitchyardError } from "../../src/core/errors.ts";
import { signsTime, type Webhook } from "../../src/model/triggers.ts";
import type { WebhookTested } from "../../src/registry/builtins/webhook-functions.ts";
import { SCHEMES } from "../../src/triggers/webhooks/schemes/index.ts";
import { utf8 } from "../../src/triggers/webhooks/schemes/scheme.ts";
import { askHidden, isInteractive } from "../ask.ts";
import { parseAnswer } from "../client.ts";
import type { Context } from "../command.ts";
import { howToFollow } from "../executions/wait.ts";
import { readEntry } from "../registry.ts";
import { SAMPLES, usualSample, type Sample } from "./samples.ts";

export type TestOptions = { sample?: string; data?: string; stale?: true; secret?: true; to?: string };

/** How much older than the tolerance a stale one is. */
const STALE_BY_S = 60;

export async function testWebhook(context: Context, name: string, options: TestOptions): Promise<void> {
  if (options.to !== undefined && options.secret !== true) {
    throw new SwitchyardError("usage", "Cannot use --to without --secret: what the platform signs never leaves it", {
      hint: "Give --secret, and pipe the secret in.",
    });
  }
  if (options.data === "-" && options.secret === true && !isInteractive()) {
    throw new SwitchyardError("usage", "Cannot read both the body and the secret from stdin: give --data a file");
  }
  const webhook = (await readEntry(context.client, "webhook", name)).entry as unknown as Webhook;
  const ageS = ageOf(webhook, options.stale === true);
  const id = crypto.randomUUID().replaceAll("-", "");
  const sample = sampleOf(webhook, options, id);
  const tested = await (options.secret === true
    ? overTheNetwork(context, webhook, { sample, id, ageS, to: options.to })
    : onThePlatform(context, webhook, { sample, id, ageS }));
  report(context, tested, options.stale === true);
}

function ageOf(webhook: Webhook, stale: boolean): number {
  if (!stale) return 0;
  if (signsTime(webhook)) return webhook.tolerance_s + STALE_BY_S;
  throw new SwitchyardError(
    "usage",
    `Cannot send "${webhook.name}" something stale: its sender must sign a time; the scheme ${webhook.scheme} signs none here`,
  );
}

function sampleOf({ name: webhook, scheme }: Webhook, { sample, data }: TestOptions, id: string): Sample {
  const name = sample ?? usualSample(scheme);
  const entry = SAMPLES[name];
  if (entry === undefined) throw new TypeError(`there is no sample ${name}`);
  if (entry.scheme !== undefined && entry.scheme !== scheme) {
    throw new SwitchyardError(
      "usage",
      `Cannot send "${webhook}" the sample ${name}: it must be of its scheme; that is ${scheme}, and the sample of ${entry.scheme}`,
      { hint: `--sample ${usualSample(scheme)}` },
    );
  }
  const made = entry.make(id, new Date());
  return data === undefined ? made : { ...made, body: readFileSync(data === "-" ? 0 : data, "utf8") };
}

type Sending = { sample: Sample; id: string; ageS: number };

async function onThePlatform(
  { client }: Context,
  { name }: Webhook,
  { sample, id, ageS }: Sending,
): Promise<WebhookTested> {
  const body = JSON.stringify({ ...sample, id, age_s: ageS });
  return parseAnswer(
    await client.request("POST", `/webhooks/${encodeURIComponent(name)}/test`, { body }),
  ) as WebhookTested;
}

async function overTheNetwork(
  { client }: Context,
  webhook: Webhook,
  { sample, id, ageS, to }: Sending & { to: string | undefined },
): Promise<WebhookTested> {
  const url = new URL(to ?? `${client.credentials.url}/hooks/${webhook.name}`);
  const body = utf8(sample.body);
  const secret = isInteractive()
    ? await askHidden(`Secret of ${webhook.name}: `)
    : readFileSync(0, "utf8").replace(/\r?\n$/, "");
  const signable = { method: "POST", path: url.pathname + url.search, body, secret, id };
  const proof = await SCHEMES[webhook.scheme].sign({ ...signable, timestampMs: Date.now() - ageS * 1_000 }, webhook);
  const headers = { ...sample.headers, ...proof };
  const response = await fetch(url, { method: "POST", body, headers, redirect: "manual" });
  const text = await response.text();
  const answer = isJson(response) ? (JSON.parse(text) as Record<string, unknown>) : {};
  const { code = null, detail = null, errors } = answer;
  return {
    status: response.status,
    delivery_id: response.headers.get("delivery-id") ?? "",
    execution_id: response.headers.get("execution-id"),
    code: typeof code === "string" ? code : null,
    detail: typeof detail === "string" ? detail : null,
    errors: Array.isArray(errors) ? (errors as WebhookTested["errors"]) : [],
    output: response.status === 200 ? answer : null,
  };
}

function isJson(response: Response): boolean {
  return /^application\/(?:problem\+)?json/.test(response.headers.get("content-type") ?? "");
}

/** What was sent to be refused and was has passed; anything else that is refused has failed. */
function report(context: Context, tested: WebhookTested, stale: boolean): void {
  const { output: out, globals } = context;
  const { status, code, detail, errors, execution_id: execution, delivery_id: delivery, output } = tested;
  if (globals.json) out.value(tested);
  const more = delivery === "" ? "" : `\nopctl get delivery ${delivery} shows what came and why.`;
  if (stale && code === "webhook_unverified") {
    if (!globals.json) out.data(`${status} ${code}`);
    return out.say(`Refused, as it should be.${more}`);
  }
  if (stale) {
    context.exitWith(1);
    return out.say(`It was taken, though it is stale: ${status}.${more}`);
  }
  if (status >= 400) {
    if (globals.json) return context.exitWith(1);
    throw new SwitchyardError(
      isErrorCode(code) ? code : "unexpected_answer",
      detail ?? `Cannot deliver: the answer must be a success; it is ${status}`,
      { errors, ...(more === "" ? {} : { hint: more.trim() }) },
    );
  }
  if (!globals.json) out.data(output === null ? `${status} ${execution ?? ""}`.trim() : JSON.stringify(output));
  const follow = output === null ? howToFollow : (id: string) => `opctl describe execution ${id} shows how it went.`;
  out.say(`Delivered as ${delivery}.${execution === null ? "" : `\n${follow(execution)}`}`);
}
