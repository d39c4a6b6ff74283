/**
 * What a request's bytes say, by the kind that it declares: JSON, a form, a CloudEvent in either mode, text, nothing. Comes
 * after the verification: bytes of strangers are not parsed.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { parseJson, parseJsonText, type ParsedJson } from "../../core/json.ts";
import type { WebhookScheme } from "../../model/triggers.ts";
import { eventInBody, eventInHeaders, type CloudEvent } from "./cloud-events.ts";
import type { Bytes } from "./schemes/scheme.ts";

export type ReadBody = {
  /** The event's data where it is a CloudEvent. */
  body: ParsedJson;
  event?: CloudEvent;
  /** The event's attributes are in the body, so that what proves the body proves them. */
  eventInBody?: boolean;
};

type Sent = { headers: Readonly<Record<string, string>>; body: Bytes; scheme: WebhookScheme };

/** Throws unsupported_media_type, malformed_json, invalid_utf8 and what else JSON is refused for. */
export function readBody({ headers, body, scheme }: Sent): ReadBody {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw unsupported(`it must be sent without a content-encoding; it is ${encoding.slice(0, 100)}`);
  }
  const type = mediaTypeOf(headers["content-type"]);
  if (type === "application/cloudevents+json") {
    const { event, data } = eventInBody(parseJson(body).value);
    return { body: { value: data, text: JSON.stringify(data) }, event, eventInBody: true };
  }
  if (type.startsWith("application/cloudevents")) {
    throw unsupported(
      `a CloudEvent must come alone, as application/cloudevents+json or in ce- headers; it is ${type}`,
      "Batches have no one operation's input; switch batching off at the sender.",
    );
  }
  const event = eventInHeaders(headers);
  return { body: contentOf(body, type, scheme), ...(event === undefined ? {} : { event }) };
}

function contentOf(body: Bytes, type: string, scheme: WebhookScheme): ParsedJson {
  if (body.byteLength === 0) return { value: null, text: "null" };
  if (type === "application/json" || /^[a-z]+\/[a-z0-9.+-]+\+json$/.test(type)) return parseJson(body);
  if (type === "application/x-www-form-urlencoded") return formOf(textOf(body), scheme);
  if (type === "" || type.startsWith("text/") || type === "application/xml" || type.endsWith("+xml")) {
    const value = textOf(body);
    return { value, text: JSON.stringify(value) };
  }
  throw unsupported(`its content-type must be JSON, a form, or text; it is ${type.slice(0, 100)}`);
}

/** A field that is there twice becomes a list. GitHub and Slack put their JSON into a field of its own. */
function formOf(text: string, scheme: WebhookScheme): ParsedJson {
  const fields = new URLSearchParams(text);
  const payload = scheme === "github" || scheme === "slack" ? fields.getAll("payload") : [];
  if (payload.length === 1 && payload[0] !== undefined) return { value: parseJsonText(payload[0]), text: payload[0] };
  const json = JSON.stringify(Object.fromEntries(listsOf(fields)));
  return { value: parseJsonText(json), text: json };
}

/** Of a query or a form. In one pass: a form may have fields by the hundred thousand. */
export function listsOf(fields: URLSearchParams): [string, string | string[]][] {
  const lists = Map.groupBy(fields, ([name]) => name);
  return [...lists].map(([name, [first, ...more]]) => {
    const value = first?.[1] ?? "";
    return [name, more.length === 0 ? value : [value, ...more.map(([, each]) => each)]];
  });
}

/** In lower case, without parameters; "" where there is none. */
function mediaTypeOf(header: string | undefined): string {
  const [type = "", ...parameters] = (header ?? "").split(";").map((part) => part.trim().toLowerCase());
  const charset = parameters.find((part) => part.startsWith("charset="))?.slice("charset=".length);
  if (charset !== undefined && !/^"?(?:utf-?8|us-ascii)"?$/.test(charset)) {
    throw unsupported(`its text must be UTF-8; it is ${charset.slice(0, 100)}`);
  }
  return type;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function textOf(body: Bytes): string {
  try {
    return decoder.decode(body);
  } catch (cause) {
    throw new SwitchyardError("invalid_utf8", "Cannot read the body: it must be UTF-8; it has a malformed sequence", {
      cause,
    });
  }
}

function unsupported(rule: string, hint?: string): SwitchyardError {
  return new SwitchyardError(
    "unsupported_media_type",
    `Cannot read the body: ${rule}`,
    hint === undefined ? {} : { hint },
  );
}
