/** One try at a URL: nothing is followed, little is read of the answer, and the time is up when it is up. */
import { untilEnd, type End } from "../../adapters/http/until-end.ts";
import type { Cancellation } from "../../core/cancellation.ts";

/** Of an answer, for the log. More is not read. */
export const KEPT_BYTES = 4_096;

export type Posted =
  | { kind: "answer"; status: number; headers: Headers; text: string }
  | { kind: "unreachable"; reason: string }
  | { kind: End };

type Post = {
  url: string;
  headers: Record<string, string>;
  body: string;
  timeoutMs: number;
  cancellation: Cancellation | undefined;
};

/** Never throws. `send` must leave redirects to whoever asked. */
export function post(
  send: (request: Request) => Promise<Response>,
  { url, headers, body, ...bounds }: Post,
): Promise<Posted> {
  return untilEnd<Posted>(
    bounds,
    async (signal) => {
      try {
        const response = await send(new Request(url, { method: "POST", headers, body, redirect: "manual", signal }));
        return { kind: "answer", status: response.status, headers: response.headers, text: await startOf(response) };
      } catch (thrown) {
        return { kind: "unreachable", reason: reasonOf(thrown) };
      }
    },
    (kind) => ({ kind }),
  );
}

async function startOf(response: Response): Promise<string> {
  if (response.body === null) return "";
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let bytes = 0; bytes < KEPT_BYTES;) {
      const { value, done } = await reader.read();
      if (done) break;
      const room = value.subarray(0, KEPT_BYTES - bytes);
      text += decoder.decode(room, { stream: true });
      bytes += room.byteLength;
    }
  } catch {
    // The status has come, and says what counts.
    return text;
  }
  await reader.cancel().catch(() => undefined);
  return text;
}

/** Workerd says of a name that nobody has, of failed TLS and of an address that its network forbids the same opaque words. */
function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.startsWith("internal error")
    ? "no connection could be made: there is no such name, TLS failed, or the address is one that this network forbids"
    : message;
}
