/**
 * A stream of events for a reader who may not read. What waits for it is held up to `limit` bytes and one event more; then
 * the stream breaks, and whoever makes the events is told to stop.
 */
export function bounded(
  body: ReadableStream<Uint8Array>,
  limit: number,
  between: Interjection = interjection(),
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let left = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        between.open((bytes) => {
          if (!left) controller.enqueue(bytes);
        });
        const pump = async (): Promise<void> => {
          for (;;) {
            const { done, value } = await reader.read();
            if (left) return;
            if (done) {
              left = true;
              return controller.close();
            }
            if ((controller.desiredSize ?? 0) <= 0) throw new Error("the client does not read its events");
            controller.enqueue(value);
          }
        };
        pump().catch((error: unknown) => {
          if (left) return;
          left = true;
          controller.error(error);
          reader.cancel(error).catch(() => undefined);
        });
      },
      cancel(reason) {
        left = true;
        return reader.cancel(reason);
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: limit }),
  );
}

/** What somebody says in between: kept until the stream is there, and lost once it has ended. */
export type Interjection = ReturnType<typeof interjection>;

export function interjection() {
  const encoder = new TextEncoder();
  const early: Uint8Array[] = [];
  let write = (bytes: Uint8Array): void => void early.push(bytes);
  return {
    say: (text: string): void => write(encoder.encode(text)),
    open(writer: (bytes: Uint8Array) => void): void {
      for (const bytes of early) writer(bytes);
      write = writer;
    },
  };
}
