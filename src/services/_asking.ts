/**
 * Requirements that no fact answers: operations are asked elsewhere, expressions evaluated here; an answer holds for a while. One that
 * does not come soon is not waited for, since whoever asks starts and stops replicas too: it counts as not known until it comes.
 */
import { canonicalJson } from "../core/hash.ts";
import { compileExpression } from "../expressions/index.ts";
import type { Ask, Facts } from "../machines/evaluate.ts";
import { complain } from "./_complain.ts";
import type { AskAnswer, AskOrder } from "./messages.ts";

/** A little less than how often it is looked at. */
const ANSWER_MS = 4_000;
const ANSWERS = 1_000;
const PATIENCE_MS = 1_000;

export function createAsk(of: {
  name: () => string;
  facts: () => Facts;
  /** AskOrder → AskAnswer. */
  operation: (text: string) => Promise<string>;
  /** An answer has come that nobody waits for any more. */
  late: () => void;
}): Ask {
  const answers = new Map<string, { at: number; holds: boolean | undefined }>();
  const ask: Ask = async (leaf) => {
    if ("expression" in leaf)
      return (await (await compileExpression(leaf.expression)).evaluate({ ...of.facts() })) === true;
    const order: AskOrder = { service: of.name(), leaf };
    return (JSON.parse(await of.operation(JSON.stringify(order))) as AskAnswer).holds;
  };
  const pending = new Set<string>();
  const answered = async (key: string, leaf: Parameters<Ask>[0]): Promise<boolean | undefined> => {
    let holds: boolean | undefined;
    try {
      holds = await ask(leaf);
    } catch (error) {
      complain(`a requirement could not be asked: ${key}`, error);
    }
    if (answers.size > ANSWERS) answers.clear();
    answers.set(key, { at: Date.now(), holds });
    return holds;
  };
  return async (leaf) => {
    const key = canonicalJson(leaf);
    const known = answers.get(key);
    // Clocks are put back, too.
    if (known !== undefined && Math.abs(Date.now() - known.at) < ANSWER_MS) return known.holds;
    if (pending.has(key)) return undefined;
    pending.add(key);
    let isLate = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        isLate = true;
        resolve(undefined);
      }, PATIENCE_MS);
    });
    const answer = answered(key, leaf).finally(() => {
      clearTimeout(timer);
      pending.delete(key);
      if (isLate) of.late();
    });
    return Promise.race([answer, patience]);
  };
}
