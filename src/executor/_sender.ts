/** Puts calls on the wire to executor processes: each in a request of its own, or with the others of its group. */
import { joinFrame, type RunHead } from "../model/frame.ts";
import { GroupMessages, type Ticket } from "./_group-message.ts";
import { type AttemptEnd, type Call, orTimer } from "./_pool-call.ts";
import { SECRET_HEADER } from "./protocol.ts";

export class Sender {
  readonly #slots: readonly Fetcher[];
  readonly #secret: string;
  readonly #messages: GroupMessages;

  constructor(slots: readonly Fetcher[], secret: string) {
    this.#slots = slots;
    this.#secret = secret;
    this.#messages = new GroupMessages(secret);
  }

  send(slot: number, head: RunHead, { input, group }: Call, firstWaitMs: number): Ticket {
    const fetcher = this.#slots[slot];
    if (fetcher === undefined) throw new Error(`there is no binding SLOT_${slot}`);
    if (group !== undefined) return this.#messages.to(slot, fetcher, group).add(head, input, firstWaitMs);
    const answer = this.#sendAlone(fetcher, joinFrame(head, input));
    return { first: orTimer(answer, firstWaitMs), later: () => answer };
  }

  /** What has started hears of it, what has not never starts. Should it not get through, the end is the same, only later. */
  cancel(slot: number, callId: string): void {
    const fetcher = this.#slots[slot];
    if (fetcher !== undefined) void this.#post(fetcher, "cancel", callId).catch(() => undefined);
  }

  async #sendAlone(fetcher: Fetcher, body: string): Promise<AttemptEnd> {
    try {
      const response = await this.#post(fetcher, "run", body);
      if (response.status !== 200) return { kind: "status", status: response.status };
      return { kind: "answer", frame: await response.text() };
    } catch {
      return { kind: "broken" };
    }
  }

  #post(fetcher: Fetcher, path: string, body: string): Promise<Response> {
    return fetcher.fetch(`http://executor/${path}`, {
      method: "POST",
      headers: { [SECRET_HEADER]: this.#secret },
      body,
    });
  }
}
