/** Something of each, a few at once: what the platform has no list of. */
const AT_ONCE = 8;

/** In the order of the items. */
export async function eachAtOnce<A, B>(items: readonly A[], ask: (item: A) => Promise<B>): Promise<B[]> {
  const answers: B[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    answers.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(ask))));
  }
  return answers;
}
