/** Server-sent events out of a body, as https://html.spec.whatwg.org/multipage/server-sent-events.html has them. */

/** `lastId`: what Last-Event-ID says when the stream is asked for again from behind this event. */
export type ServerSentEvent = { event: string; data: string; lastId: string };

/** An event that the end of the stream cuts off is none. Throws what the stream throws. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  let event = "";
  let data: string[] = [];
  let lastId = "";
  for await (const line of readLines(body)) {
    if (line === "") {
      if (data.length > 0) yield { event: event === "" ? "message" : event, data: data.join("\n"), lastId };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
    else if (field === "id" && !value.includes("\0")) lastId = value;
  }
}

/** Lines may end with LF, CR or both, and a CR may be the last of one part and its LF the first of the next. */
async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of body) {
    rest += decoder.decode(part, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
