/** One delivery laid out for people: what came, what became of it and why. */
import type { DeliveryContent } from "../../src/model/delivery.ts";

/** How much of a body the view shows; `-o json` has all that is kept. */
const BODY_CHARS = 2_000;

export function renderDelivery(delivery: DeliveryContent): string {
  const { id, webhook, status, code, detail, errors, method, path, headers } = delivery;
  const parts = [`delivery ${id}\nto ${webhook}, ${status}`, table(fields(delivery))];
  if (code !== null) {
    const places = errors.map((each) => `\n  ${each.pointer || "(the whole)"}: ${each.detail}`);
    parts.push(`Error\n  ${code}: ${detail ?? ""}${places.join("")}`);
    if (delivery.verified && delivery.body_kept) parts.push(`Once that is mended\n  opctl replay ${id}`);
  }
  parts.push(`Request\n  ${method} ${path}\n${table(Object.entries(headers))}`);
  parts.push(`Body\n${bodyOf(delivery).replaceAll(/^/gm, "  ")}`);
  return parts.join("\n\n");
}

function fields(delivery: DeliveryContent): [string, string | null][] {
  const { code, detail, others } = delivery;
  return [
    ["at", delivery.at],
    ["verified", delivery.verified ? "yes" : "no"],
    ["note", code === null ? detail : null],
    ["execution", delivery.execution_id],
    ["event", delivery.event_id],
    ["signed", delivery.signed_at],
    ["replay of", delivery.replay_of],
    ["others", others === 0 ? null : `${others} like it in the same minute, without a record`],
  ];
}

function bodyOf({ body, body_kept: whole, body_size_bytes: size }: DeliveryContent): string {
  if (size === 0) return "none";
  const shown = body === null ? "not UTF-8: see body_base64" : body.slice(0, BODY_CHARS);
  const rest = whole ? "" : `, of which a part is kept`;
  return whole && body !== null && body.length <= BODY_CHARS ? shown : `${shown}…\n(${size} bytes${rest})`;
}

function table(rows: readonly [string, string | null][]): string {
  const said = rows.filter(([, value]) => value !== null);
  const width = Math.max(0, ...said.map(([name]) => name.length));
  return said.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join("\n");
}
