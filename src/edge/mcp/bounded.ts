/**
 * A stream of events for a reader who may not read. What waits for it is held up to `limit` bytes and one event more; then
 * the stream breaks, and whoever makes the events is told to stop.
 */
export function bounded(body: ReadableStream<Uint8Array>, limit: number): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let left = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const pump = async (): Promise<void> => {
          for (;;) {
            const { done, value } = await reader.read();
            if (left) return;
            if (done) return controller.close();
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
