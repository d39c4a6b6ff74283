import { expect, test } from "vitest";
import { bounded, interjection } from "./bounded.ts";

/** A source that writes whenever it is told to, whether anybody reads or not, as the SDK does. */
function source() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const state = { cancelled: undefined as unknown };
  const stream = new ReadableStream<Uint8Array>({
    start: (made) => void (controller = made),
    cancel: (reason) => void (state.cancelled = reason),
  });
  return {
    stream,
    state,
    write: async (bytes: number) => {
      controller?.enqueue(new Uint8Array(bytes));
      await new Promise((resolve) => setImmediate(resolve));
    },
    close: () => controller?.close(),
  };
}

test("passes on what is read, to the end", async () => {
  const from = source();
  const reading = new Response(bounded(from.stream, 10)).arrayBuffer();
  for (let at = 0; at < 100; at++) await from.write(9);
  from.close();
  expect((await reading).byteLength).toBe(900);
  expect(from.state.cancelled).toBeUndefined();
});

test("holds one event over its limit for a reader who does not read, and then breaks off", async () => {
  const from = source();
  const stream = bounded(from.stream, 10);
  await from.write(9);
  await from.write(5_000);
  expect(from.state.cancelled).toBeUndefined();
  await from.write(1);
  expect(String(from.state.cancelled)).toContain("does not read");
  await expect(stream.getReader().read()).rejects.toThrow("does not read");
});

test("what is said in between comes at its place, said early or late, and nowhere after the end", async () => {
  const from = source();
  const between = interjection();
  between.say("a");
  const text = new Response(bounded(from.stream, 10, between)).text();
  await from.write(1);
  between.say("b");
  await from.write(1);
  from.close();
  expect(await text).toBe("a\0b\0");
  between.say("c");
});

test("a reader who leaves is told to the source", async () => {
  const from = source();
  const reader = bounded(from.stream, 10).getReader();
  await from.write(3);
  await reader.read();
  await reader.cancel("gone");
  expect(from.state.cancelled).toBe("gone");
});
