/**
 * A client as the documentation wants it: what has an Idempotency-Key is sent again until it is answered, what has none is
 * sent once. It is never told when the platform is killed.
 */
import { isFinal } from "../../src/model/execution-states.ts";
import type { ExecutionLogLine, ExecutionView } from "../../src/model/execution.ts";
import type { Asked, History, Seen } from "./_history.ts";
import type { Victim } from "./_victim.ts";

const TIMEOUT_MS = 15_000;
const RETRY_MS = 100;

type Answer = { status: number; text: string };

export class Client {
  readonly #victim: Victim;
  readonly #history: History;
  /** Answers that say the platform cannot now, by code: they show that the kills were felt. */
  readonly refusals = new Map<string, number>();

  constructor(victim: Victim, history: History) {
    this.#victim = victim;
    this.#history = history;
  }

  /** undefined: no answer came. */
  async request(path: string, init: RequestInit = {}): Promise<Answer | undefined> {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await this.#victim.dev.request(path, { ...init, headers: init.headers as never, signal });
      const answer = { status: response.status, text: await response.text() };
      if (answer.status >= 429) this.#count(codeOf(answer));
      return answer;
    } catch {
      this.#count("no answer");
      return undefined;
    }
  }

  #count(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  /** Sends it until it is acknowledged. Answers the execution's id; undefined when that cannot be known, or time is over. */
  async call(asked: Asked, giveUpAt: number): Promise<string | undefined> {
    const { operation, input, key, query } = asked;
    for (;;) {
      const answer = await this.request(`/ops/${operation}${query}`, {
        method: "POST",
        body: JSON.stringify(input),
        headers: { prefer: "respond-async", ...(key === undefined ? {} : { "idempotency-key": key }) },
      });
      if (answer?.status === 202) {
        const { execution_id: id } = JSON.parse(answer.text) as { execution_id: string };
        if (!asked.ids.includes(id)) asked.ids.push(id);
        return id;
      }
      if (answer !== undefined && answer.status < 429) {
        this.#history.wrong("a sound request is never refused", `request ${asked.n}: ${answer.status} ${answer.text}`);
        return undefined;
      }
      if (key === undefined) {
        asked.isUnknown = true;
        return undefined;
      }
      if (Date.now() > giveUpAt) {
        this.#history.wrong("a request is answered in the end", `request ${asked.n}: ${answer?.text ?? "no answer"}`);
        return undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async cancel(id: string): Promise<void> {
    const answer = await this.request(`/executions/${id}/cancel`, { method: "POST" });
    if (answer?.status === 200) this.#history.cancels.push({ id, answer: "cancelled" });
    else if (answer?.status === 409) this.#history.cancels.push({ id, answer: "final" });
    else this.#history.cancels.push({ id, answer: "unknown" });
    if (answer?.status === 404) this.#history.wrong("what was acknowledged is there", answer.text, id);
  }

  /** undefined: the platform does not answer. */
  async view(id: string): Promise<ExecutionView | undefined> {
    const answer = await this.request(`/executions/${id}`);
    if (answer?.status === 404) this.#history.wrong("what was acknowledged is there", answer.text, id);
    if (answer?.status !== 200) return undefined;
    const view = JSON.parse(answer.text) as ExecutionView;
    this.#history.read(view);
    return view;
  }

  /** All of it, when it has ended; undefined when it has not or the platform does not answer. */
  async seen(id: string, known?: ExecutionView): Promise<Seen | undefined> {
    const view = known ?? (await this.view(id));
    if (view === undefined || !isFinal(view.status)) return undefined;
    const [output, log] = await Promise.all([
      view.status === "succeeded" ? this.request(`/executions/${id}/output`) : { status: 200, text: "" },
      this.request(`/executions/${id}/logs?limit=200`),
    ]);
    if (output?.status === 404) this.#history.wrong("an output is there when it succeeded", output.text, id);
    if (output?.status !== 200 || log?.status !== 200) return undefined;
    const { items } = JSON.parse(log.text) as { items: ExecutionLogLine[] };
    const text = output.text === "" ? undefined : output.text;
    return { view, output: text, logs: items.map(({ message }) => message), n: await this.#numberOf(id, text) };
  }

  async #numberOf(id: string, output: string | undefined): Promise<number | undefined> {
    if (output !== undefined) return (JSON.parse(output) as { n?: number }).n;
    const input = await this.request(`/executions/${id}/input`);
    return input?.status === 200 ? (JSON.parse(input.text) as { n?: number }).n : undefined;
  }

  /** Every execution that fits, over all pages. */
  async list(conditions = ""): Promise<ExecutionView[]> {
    const all: ExecutionView[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const after: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const answer = await this.request(`/executions?limit=200${conditions}${after}`);
      if (answer?.status !== 200) throw new Error(`cannot list: ${answer?.text ?? "no answer"}`);
      const page = JSON.parse(answer.text) as { items: ExecutionView[]; next_cursor: string | null };
      all.push(...page.items);
      cursor = page.next_cursor;
    }
    return all;
  }
}

function codeOf({ status, text }: Answer): string {
  try {
    return String((JSON.parse(text) as { code?: string }).code ?? status);
  } catch {
    return String(status);
  }
}
