/** CloudEvents 1.0 over HTTP, structured (all in one JSON) and binary (attributes in `ce-` headers). */
import { SwitchyardError } from "../../core/errors.ts";
import { textAt } from "./schemes/scheme.ts";

/** Its attributes, extensions among them, without its data. */
export type CloudEvent = {
  specversion: string;
  id: string;
  source: string;
  type: string;
  [attribute: string]: unknown;
};

/** Throws bad_request. */
export function eventInBody(value: unknown): { event: CloudEvent; data: unknown } {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new SwitchyardError("bad_request", "Cannot read the CloudEvent: it must be a JSON object; it is not");
  }
  const { data, data_base64: base64, ...attributes } = value as Record<string, unknown>;
  return { event: checked(attributes), data: data ?? base64 ?? null };
}

/** undefined: it is none. Throws bad_request. */
export function eventInHeaders(headers: Readonly<Record<string, string>>): CloudEvent | undefined {
  if (headers["ce-specversion"] === undefined) return undefined;
  const attributes = Object.entries(headers)
    .filter(([name]) => name.startsWith("ce-"))
    .map(([name, value]): [string, string] => [name.slice("ce-".length), decoded(name, value)]);
  const type = headers["content-type"];
  return checked({
    ...Object.fromEntries(attributes),
    ...(type === undefined ? {} : { datacontenttype: type }),
  });
}

/** Values are percent-encoded where they are not visible ASCII (HTTP binding, 3.1.3.2). */
function decoded(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new SwitchyardError(
      "bad_request",
      `Cannot read the CloudEvent: the header ${name} must be percent-encoded UTF-8; it is ${JSON.stringify(value.slice(0, 100))}`,
    );
  }
}

function checked(attributes: Record<string, unknown>): CloudEvent {
  for (const name of ["specversion", "id", "source", "type"]) {
    if (textAt(attributes, name) !== undefined) continue;
    throw new SwitchyardError(
      "bad_request",
      `Cannot read the CloudEvent: it must have the attribute ${name}; it has none`,
    );
  }
  if (attributes["specversion"] !== "1.0") {
    throw new SwitchyardError(
      "bad_request",
      `Cannot read the CloudEvent: its specversion must be 1.0; it is ${JSON.stringify(attributes["specversion"]).slice(0, 100)}`,
    );
  }
  return attributes as CloudEvent;
}
