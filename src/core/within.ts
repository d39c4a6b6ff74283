/**
 * The promise's result, or undefined if it takes longer. In a worker the promise may belong to another request, which
 * may end and leave it unsettled for ever: nobody may wait for a shared promise in any other way.
 */
export async function within<T>(ms: number, promise: Promise<T>): Promise<{ value: T } | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([promise.then((value) => ({ value })), late]);
  } finally {
    clearTimeout(timer);
  }
}
