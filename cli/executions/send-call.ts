/**
 * One call of an operation and what becomes of its answer: an output that is printed, or an execution that was
 * accepted, which is waited for or left to itself.
 */
import { parseAnswer } from "../client.ts";
import type { Context } from "../command.ts";
import { howToFollow, printResult, type Wait } from "./wait.ts";

export type CallRequest = {
  /** `/ops/NAME`, with its query. */
  route: string;
  body: string;
  headers?: Record<string, string>;
  timeoutMs?: number | undefined;
  /** undefined: what is accepted is left to itself. */
  wait: Wait | undefined;
};

export async function sendCall(
  context: Pick<Context, "client" | "output" | "exitWith">,
  { route, body, headers = {}, timeoutMs, wait }: CallRequest,
): Promise<void> {
  const answer = await context.client.request("POST", route, { body, headers, timeoutMs });
  if (answer.status === 202) return accepted(context, answer.text, wait);
  if (answer.text !== "") context.output.data(answer.text);
}

/** `text` is what a 202 says: `{"execution_id": …}`. */
export async function accepted(
  context: Pick<Context, "client" | "output" | "exitWith">,
  text: string,
  wait: Wait | undefined,
): Promise<void> {
  const { execution_id: id } = parseAnswer({ text }) as { execution_id: string };
  if (wait !== undefined) return printResult(context, id, wait);
  context.output.data(text);
  context.output.say(`Accepted. It goes on by itself.\n${howToFollow(id)}`);
}
