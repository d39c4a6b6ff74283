/**
 * What an agent does, as it does it. On a terminal one line is drawn over and over that says how far its plan is, and only what is
 * worth keeping stays above it; elsewhere everything is a line.
 */
import type { Output } from "../output.ts";
import type { AgentEvent } from "./api.ts";
import { lineOf } from "./lines.ts";

type PlannedStep = { id: number; description: string };

/** What the line says already. */
const DRAWN: ReadonlySet<string> = new Set(["started", "succeeded"]);

export class Progress {
  readonly #output: Pick<Output, "say" | "live" | "redraws">;
  #plan = 0;
  #steps = new Map<number, string>();
  #started = new Set<number>();
  #succeeded = 0;

  constructor(output: Pick<Output, "say" | "live" | "redraws">) {
    this.#output = output;
  }

  tell(event: AgentEvent): void {
    if (this.#output.redraws) this.#draw(event);
    if (
      this.#output.redraws &&
      (event.type === "state" || (event.type === "step" && DRAWN.has(String(event["status"]))))
    )
      return;
    const line = lineOf(event);
    if (line !== undefined) this.#output.say(line);
  }

  /** Before anything else is printed. */
  end(): void {
    this.#output.live(undefined);
  }

  #draw(event: AgentEvent): void {
    if (event.type === "plan") {
      this.#plan = Number(event["plan"]);
      this.#steps = new Map((event["steps"] as PlannedStep[]).map(({ id, description }) => [id, description]));
      this.#started = new Set();
      this.#succeeded = 0;
    } else if (event.type === "step") {
      const id = Number(event["step"]);
      if (event["status"] === "started") this.#started.add(id);
      else this.#started.delete(id);
      if (event["status"] === "succeeded") this.#succeeded += 1;
    } else {
      return;
    }
    const now = [...this.#started].map((id) => this.#steps.get(id) ?? `step ${id + 1}`);
    const at = now.length === 0 ? "" : `: ${now.join(", ")}`;
    this.#output.live(`plan ${this.#plan}, ${this.#succeeded} of ${this.#steps.size} steps done${at}`);
  }
}
