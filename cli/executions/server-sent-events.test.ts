import { expect, test } from "vitest";
import { readEvents, type ServerSentEvent } from "./server-sent-events.ts";

async function eventsOf(text: string, partSize: number): Promise<ServerSentEvent[]> {
  const bytes = new TextEncoder().encode(text);
  async function* parts(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += partSize) yield bytes.slice(at, at + partSize);
  }
  const found: ServerSentEvent[] = [];
  for await (const event of readEvents(parts())) found.push(event);
  return found;
}

const TEXT =
  ": hello\n\nretry: 1000\n\nid: 1-0\nevent: state\ndata: {\ndata: }\n\ndata:ä\n\nevent: log\nid: 1-1\ndata\n\ndata: cut";

test.each([["\n"], ["\r\n"], ["\r"]])(
  "readEvents() reads events whose lines end with %j, however they are cut",
  async (end) => {
    const expected = [
      { event: "state", data: "{\n}", lastId: "1-0" },
      { event: "message", data: "ä", lastId: "1-0" },
      { event: "log", data: "", lastId: "1-1" },
    ];
    for (const partSize of [1, 2, 3, 7, 1000]) {
      expect(await eventsOf(TEXT.replaceAll("\n", end), partSize)).toEqual(expected);
    }
  },
);
