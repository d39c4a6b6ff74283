/** Answers of an OpenAPI operation → the output type of an operation: what its successes have in common is no more than that. */
import { isDeepStrictEqual } from "node:util";
import { isObject, membersOf, Obstacle } from "./_obstacle.ts";
import { chooseMedia, namesOf, type Media } from "./content.ts";
import type { Reading } from "./parameters.ts";
import type { Schema } from "./type-builder.ts";

export type Answers = { output: Schema; examples: Media["examples"] };

const SUCCESS = /^2(?:\d\d|XX)$/i;

/** Throws Obstacle where no success can be carried. */
export function readAnswers(responses: unknown, file: string, reading: Reading & { method: string }): Answers {
  const all = membersOf(responses).filter(([status]) => SUCCESS.test(status));
  // "Accepted" is no result; it counts where there is nothing else.
  const results = all.filter(([status]) => status !== "202");
  const successes = (results.length > 0 ? results : all).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (successes.length === 0) {
    reading.note("it says nothing of its success: the output may be anything");
    return { output: true, examples: new Map() };
  }
  const schemas: Schema[] = [];
  const reasons: string[] = [];
  let examples: Media["examples"] = new Map();
  for (const [status, response] of successes) {
    const found = reading.documents.settle(response, file);
    const content = isObject(found.value) ? found.value["content"] : undefined;
    if (membersOf(content).length === 0 || reading.method === "HEAD") {
      schemas.push({ type: "null" });
      continue;
    }
    const media = chooseMedia(content, { file: found.file, side: "output", documents: reading.documents });
    if (media === undefined) {
      reasons.push(`its answer ${status} is ${namesOf(content)}, and only JSON and text can be read`);
      continue;
    }
    if (examples.size === 0) ({ examples } = media);
    if (media.kind === "text") schemas.push({ type: "string" });
    else schemas.push(media.schema === undefined ? true : reading.types.part(media.schema, media.file));
  }
  if (schemas.length === 0) throw new Obstacle(reasons[0] ?? "its answers cannot be read");
  for (const reason of reasons) reading.note(`left out: ${reason}`);
  const different = schemas.filter((schema, at) => schemas.findIndex((each) => isDeepStrictEqual(each, schema)) === at);
  const [only = true] = different;
  return { output: reading.types.close(different.length === 1 ? only : { anyOf: different }), examples };
}
