/** One method of one path of an OpenAPI document → the manifest of an operation. */
import * as v from "valibot";
import { SwitchyardError } from "../../src/core/errors.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { METHODS, ProvidedBySchema } from "../../src/model/services.ts";
import { checkRequest } from "../../src/registry/kinds/operation-request.ts";
import { isObject, membersOf, Obstacle, type Json } from "./_obstacle.ts";
import { readAnswers } from "./answers.ts";
import type { Documents } from "./documents.ts";
import { mendType, type Mended } from "./mend-type.ts";
import { readRequest, type Method, type Request } from "./request.ts";
import { TypeBuilder } from "./type-builder.ts";

export type OperationSource = {
  documents: Documents;
  method: string;
  path: string;
  /** The operation object, and the path item around it; where they stand. */
  operation: Json;
  item: Json;
  file: string;
};

/** Without its name and exposure. Throws Obstacle. */
export async function readOperation(source: OperationSource, note: (what: string) => void): Promise<Json> {
  const { documents, path, operation, item, file } = source;
  const method = METHODS.find((each) => each === source.method);
  if (method === undefined) throw new Obstacle(`no operation has the method ${source.method}`);
  if (!/^\/[^?#\s]*$/.test(path)) throw new Obstacle("its path must begin with / and have no query");
  const inputTypes = new TypeBuilder(documents, "input");
  const outputTypes = new TypeBuilder(documents, "output");
  const request = readRequest(
    {
      method,
      path,
      parameters: [item, operation].map(({ parameters }) => ({ value: parameters, file })),
      body: operation["requestBody"],
      file,
    },
    { documents, types: inputTypes, note },
  );
  const answers = readAnswers(operation["responses"], file, { documents, types: outputTypes, note, method });
  const input = await mendType(request.input, "input", note);
  const output = await mendType(answers.output, "output", note);
  if (membersOf(operation["callbacks"]).length > 0) note("left out: its callbacks");
  if (operation["servers"] !== undefined || item["servers"] !== undefined) note("left out: its own servers");
  const examples = examplesOf({ request, answers: answers.examples, input, output });
  checkStorable(request.providedBy, input);
  const description = describe(operation);
  return {
    ...(description === "" ? {} : { description }),
    provided_by: request.providedBy,
    input_type: input.schema,
    output_type: output.schema,
    ...annotationsOf(method),
    ...(examples.length === 0 ? {} : { examples }),
  };
}

/** What the registry would refuse, and with that all that comes after it. */
function checkStorable(providedBy: Json, input: Mended): void {
  const request = v.safeParse(ProvidedBySchema, { exposure: "any", ...providedBy });
  if (!request.success) {
    const { path: where, message } = request.issues[0];
    throw new Obstacle(
      `its request cannot be stored: ${where?.map(({ key }) => String(key)).join("/") ?? ""} ${message}`,
    );
  }
  if (isObject(input.schema) && membersOf(input.schema["properties"]).some(([name]) => name === "__proto__")) {
    throw new Obstacle('a field must have another name than "__proto__"');
  }
  try {
    checkRequest("it", request.output, input.schema);
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    throw new Obstacle(`its request cannot be stored: ${error.message.replace(/^[^:]*: /, "")}`);
  }
}

function describe({ summary, description, deprecated }: Json): string {
  const texts = [summary, description].filter((text) => typeof text === "string").map((text) => text.trim());
  const [line = "", more = ""] = texts;
  // The longer text often begins with the shorter.
  const whole = more.startsWith(line) ? more || line : `${line}\n\n${more}`.trim();
  return `${deprecated === true ? "Deprecated. " : ""}${whole}`.trim().slice(0, 4000);
}

function annotationsOf(method: Method): Json {
  if (method === "GET" || method === "HEAD") return { annotations: { read_only: true } };
  if (method === "PUT") return { annotations: { idempotent: true } };
  return method === "DELETE" ? { annotations: { idempotent: true, destructive: true } } : {};
}

type Shown = {
  request: Request;
  answers: ReturnType<typeof readAnswers>["examples"];
  input: Mended;
  output: Mended;
};

/** Those that fit both types; what comes out is shown where the document names it alike. */
function examplesOf({ request, answers, input, output }: Shown): Json[] {
  return [...request.examples]
    .filter(([, { value }]) => input.compiled.check(value).ok)
    .slice(0, LIMITS.examples)
    .map(([name, { summary, value }]) => {
      const answer = answers.get(name) ?? (request.examples.size === 1 ? [...answers.values()][0] : undefined);
      const isShown = answer !== undefined && output.compiled.check(answer.value).ok;
      const example: Json = { input: value };
      if (summary !== undefined && summary !== "") example["summary"] = summary.slice(0, 200);
      if (isShown) example["output"] = answer.value;
      return example;
    });
}

/** What an operation wants of who calls it: names of security schemes; none: it takes anybody. */
export function securityOf(operation: Json, root: Json): string[] {
  const wanted = operation["security"] ?? root["security"];
  const choices = (Array.isArray(wanted) ? wanted : []).filter(isObject);
  if (choices.some((choice) => Object.keys(choice).length === 0)) return [];
  return [...new Set(choices.flatMap((choice) => Object.keys(choice)))];
}
