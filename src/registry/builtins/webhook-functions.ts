/** The built-in functions over deliveries to webhooks, and the test of one. What keeps and makes them comes in as a port. */
import * as v from "valibot";
import { SwitchyardError } from "../../core/errors.ts";
import {
  DELIVERY_STATUSES,
  type DeliveryContent,
  type DeliveryQuery,
  type DeliveryView,
} from "../../model/delivery.ts";
import { NameSchema } from "../../model/names.ts";
import type { Principal } from "../../model/principal.ts";
import type { Page } from "../read.ts";
import type { WiredFunction } from "./execution-functions.ts";
import { idInput, TimeSchema } from "./execution-schemas.ts";
import { optional, parseInput } from "./parse-input.ts";
import { LimitSchema, pageOutput } from "./schemas.ts";

const text = v.string();
const nullableText = v.nullable(text);

const listInput = v.strictObject({
  webhook: v.optional(NameSchema),
  status: v.optional(v.picklist(DELIVERY_STATUSES)),
  since: v.optional(TimeSchema),
  until: v.optional(TimeSchema),
  limit: LimitSchema,
  cursor: v.optional(v.pipe(text, v.maxLength(100))),
});

/** As SwitchyardError has them. */
const issues = v.pipe(v.array(v.strictObject({ pointer: text, keyword: text, detail: text })), v.readonly());

const viewFields = {
  id: text,
  webhook: text,
  at: text,
  status: v.picklist(DELIVERY_STATUSES),
  verified: v.boolean(),
  code: nullableText,
  detail: nullableText,
  execution_id: nullableText,
  replay_of: nullableText,
  method: text,
  path: text,
  event_id: nullableText,
  signed_at: nullableText,
  body_size_bytes: v.number(),
  others: v.number(),
};
const viewOutput = v.strictObject(viewFields);
const contentOutput = v.strictObject({
  ...viewFields,
  headers: v.record(text, text),
  errors: issues,
  body: nullableText,
  body_base64: nullableText,
  body_kept: v.boolean(),
});

const replayOutput = v.strictObject({ delivery_id: text, execution_id: nullableText });

/** `id` is that of the delivery where the scheme has one; `age_s`: how long ago it is signed, 0: now. */
const testInput = v.strictObject({
  name: NameSchema,
  headers: v.optional(v.record(v.pipe(text, v.regex(/^[A-Za-z0-9-]{1,100}$/)), v.pipe(text, v.maxLength(1_000))), {}),
  body: v.pipe(text, v.maxLength(1_000_000)),
  id: v.pipe(text, v.regex(/^[A-Za-z0-9_-]{1,100}$/)),
  age_s: v.optional(v.pipe(v.number(), v.integer(), v.minValue(-86_400), v.maxValue(86_400)), 0),
});
const testOutput = v.strictObject({
  status: v.number(),
  delivery_id: text,
  execution_id: nullableText,
  code: nullableText,
  detail: nullableText,
  errors: issues,
  output: v.unknown(),
});

export type WebhookTest = Omit<v.InferOutput<typeof testInput>, "name">;
/** What the sender would have been told. */
export type WebhookTested = v.InferOutput<typeof testOutput>;

/** undefined always means: there is none of that id, or it is no longer kept. */
export interface WebhookFunctions {
  find(id: string): Promise<DeliveryContent | undefined>;
  list(query: DeliveryQuery): Promise<Page<DeliveryView>>;
  /** Throws bad_request for one that cannot be run again, forbidden, and what it is refused for now. */
  replay(id: string, principal: Principal): Promise<v.InferOutput<typeof replayOutput> | undefined>;
  /** Throws entity_not_found and forbidden; what the request comes to is in the answer. */
  test(name: string, test: WebhookTest, principal: Principal): Promise<WebhookTested>;
}

export type WebhookFunctionPorts = { webhooks: WebhookFunctions };

export const WEBHOOK_FUNCTIONS: readonly WiredFunction[] = [
  {
    name: "list_delivery",
    description: "Lists deliveries to webhooks, newest first, by webhook, status and time.",
    scope: "registry:read",
    input: () => listInput,
    output: () => pageOutput(viewOutput),
    async run(name, { input, ports }) {
      const { since, until, limit, ...rest } = parseInput(listInput, input, name);
      const bounds = { since: msOf(since), until: msOf(until) };
      return ports.webhooks.list({ limit, ...optional({ ...rest, ...bounds }) });
    },
  },
  {
    name: "get_delivery",
    description: "One delivery to a webhook: what came, and what became of it.",
    scope: "registry:read",
    input: () => idInput,
    output: () => contentOutput,
    async run(name, { input, ports }) {
      const { id } = parseInput(idInput, input, name);
      return (await ports.webhooks.find(id)) ?? notFound(id);
    },
  },
  {
    name: "replay_delivery",
    description: "Maps and runs one verified delivery again, as its webhook is now: a new delivery.",
    scope: "registry:write",
    input: () => idInput,
    output: () => replayOutput,
    async run(name, { input, principal, ports }) {
      const { id } = parseInput(idInput, input, name);
      return (await ports.webhooks.replay(id, principal)) ?? notFound(id);
    },
  },
  {
    name: "test_webhook",
    description:
      "Sends a webhook a request that is signed with its own secret, and answers what its sender would be told.",
    scope: "registry:write",
    input: () => testInput,
    output: () => testOutput,
    async run(name, { input, principal, ports }) {
      const { name: webhook, ...test } = parseInput(testInput, input, name);
      return ports.webhooks.test(webhook, test, principal);
    },
  },
];

function notFound(id: string): never {
  throw new SwitchyardError(
    "entity_not_found",
    `Cannot find the delivery "${id}": it must be kept here; there is none such`,
    { hint: "opctl get deliveries lists them; the record of one comes within a second of its answer" },
  );
}

function msOf(time: number | string | undefined): number | undefined {
  return typeof time === "string" ? Date.parse(time) : time;
}
