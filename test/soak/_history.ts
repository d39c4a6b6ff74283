/**
 * What was asked of the platform and what it answered, as seen from outside. Each request has a number that its input
 * carries, so that an execution whose answer was lost can be told apart from one that nobody asked for.
 */
import { isFinal } from "../../src/model/execution-states.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import type { OperationName } from "./_operations.ts";

/** One request, however often it is sent. With a key it may be sent again until it is answered. */
export type Asked = {
  n: number;
  operation: OperationName;
  input: Record<string, unknown>;
  query: string;
  key: string | undefined;
  /** Every id that an answer has given. */
  ids: string[];
  /** Its answer was lost and it has no key to be sent again with: it may run, or not. */
  isUnknown: boolean;
};

/** What the platform answered to a cancel; `unknown`: the answer was lost. */
export type Cancel = { id: string; answer: "cancelled" | "final" | "unknown" };

/**
 * An execution as it was read: the record, its output as text (undefined: none), the messages of its log, and the number
 * of the request that its input carries.
 */
export type Seen = { view: ExecutionView; output: string | undefined; logs: string[]; n: number | undefined };

export type Violation = { rule: string; what: string; id?: string };

export class History {
  readonly asked: Asked[] = [];
  readonly cancels: Cancel[] = [];
  /** The first reading of each execution that had ended. */
  readonly ended = new Map<string, Seen>();
  /** What was seen to be wrong while it ran. */
  readonly violations: Violation[] = [];
  readonly #last = new Map<string, ExecutionView>();

  ask(
    operation: OperationName,
    input: Record<string, unknown>,
    { key, query = "" }: { key?: string | undefined; query?: string } = {},
  ): Asked {
    const n = this.asked.length;
    const asked: Asked = { n, operation, input: { n, ...input }, query, key, ids: [], isUnknown: false };
    this.asked.push(asked);
    return asked;
  }

  ids(): Set<string> {
    return new Set(this.asked.flatMap(({ ids }) => ids));
  }

  wrong(rule: string, what: string, id?: string): void {
    this.violations.push({ rule, what, ...(id === undefined ? {} : { id }) });
  }

  /** Each reading of a record is held against the one before. */
  read(view: ExecutionView): void {
    const before = this.#last.get(view.id);
    this.#last.set(view.id, view);
    if (before === undefined) return;
    const { id } = view;
    if (view.attempt < before.attempt) this.wrong("attempts only rise", `${before.attempt} → ${view.attempt}`, id);
    const kept = view.attempts.slice(0, before.attempts.length);
    if (JSON.stringify(kept) !== JSON.stringify(before.attempts)) {
      this.wrong("what is recorded of an attempt stays", JSON.stringify([before.attempts, view.attempts]), id);
    }
    if (isFinal(before.status) && view.status !== before.status) {
      this.wrong("what has ended stays ended", `${before.status} → ${view.status}`, id);
    }
  }
}
