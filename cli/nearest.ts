/**
 * The name that was meant, where the platform has no row of the one that was given: in one place for every command and kind. The list
 * of names is asked for only once that is said, with the same token, so that nobody learns a name that they may not list.
 */
import { didYouMean } from "../src/core/did-you-mean.ts";
import { SwitchyardError } from "../src/core/errors.ts";
import { kindOfPlural, KINDS, type Kind } from "../src/model/entities.ts";
import { refusedRequest, type RefusedRequest } from "./client.ts";
import { KIND_WORDS } from "./kinds.ts";
import { listEntries } from "./registry.ts";

/** How many names are looked at. */
const AMONG = 1_000;

/** With the nearest name in the hint, or as it is. Never throws. */
export async function withNearest(error: SwitchyardError): Promise<SwitchyardError> {
  // Of operations the platform may have said it.
  if (error.hint?.startsWith("Did you mean") === true) return error;
  const request = refusedRequest(error);
  const row = request === undefined ? undefined : missingRow(error, request);
  if (request === undefined || row === undefined) return error;
  const names: string[] = [];
  try {
    for await (const { name } of listEntries(request.client, row.kind, { limit: AMONG })) names.push(name);
  } catch {
    // It may not list them, or cannot: the first error says more.
    return error;
  }
  // It is there, and what is missing is something of it.
  if (names.includes(row.name)) return error;
  const near = didYouMean(row.name, names);
  const list = error.hint ?? `\`opctl get ${KIND_WORDS[row.kind].plural}\` lists what is there.`;
  const hint = near === undefined ? list : `Did you mean "${near}"? ${list}`;
  return new SwitchyardError(error.code, error.message, { hint, cause: error });
}

/** Which row a request was for; undefined: that of another one, or none, is missing. */
function missingRow(
  { code, message }: SwitchyardError,
  request: RefusedRequest,
): { kind: Kind; name: string } | undefined {
  const [path = ""] = request.route.slice(1).split("?");
  const [first = "", ...rest] = path.split("/").map(decodeURIComponent);
  const [of, name] = first === "registry" ? rest : [first, rest[0]];
  const asked = first === "ops" ? rowOfCall(code, rest[0], request.body) : { kind: kindOf(of), name };
  if (asked.kind === undefined || asked.name === undefined) return undefined;
  const isSaid = message.includes(`"${asked.name}"`) || message.includes(`"${asked.name}@`);
  return isSaid ? { kind: asked.kind, name: asked.name } : undefined;
}

function kindOf(word: string | undefined): Kind | undefined {
  return word === "runners" ? "environment" : kindOfPlural(word ?? "");
}

/** The operation itself, or the row that one of the platform's own is about. */
function rowOfCall(
  code: SwitchyardError["code"],
  operation = "",
  body: RefusedRequest["body"],
): { kind: Kind | undefined; name: string | undefined } {
  if (code === "operation_not_found") return { kind: "operation", name: operation.replace(/@.*$/, "") };
  const kind = (Object.keys(KINDS) as Kind[]).find((each) => operation.endsWith(`_${each}`));
  return { kind, name: nameIn(body) };
}

function nameIn(body: RefusedRequest["body"]): string | undefined {
  if (typeof body !== "string") return undefined;
  const input = parsed(body);
  const name = typeof input === "object" && input !== null && "name" in input ? input.name : undefined;
  return typeof name === "string" ? name : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
