/** Types that say more than their shape: bounds and defaults in doc comments end up in the stored type. */

export interface WordCountInput {
  /** @maxLength 1000000 */
  text: string;
  /** How many of the most frequent words to list.
   * @asType integer
   * @minimum 1
   * @maximum 100
   * @default 10
   */
  top?: number;
  /** Whether `The` and `the` are the same word.
   * @default true
   */
  ignore_case?: boolean;
}

export interface WordCountOutput {
  /** @asType integer */
  words: number;
  most_frequent: WordFrequency[];
}

export interface WordFrequency {
  word: string;
  /** @asType integer */
  count: number;
}

/** Counts words and lists the most frequent ones, in order of frequency and then of the alphabet. */
export function wordCount({ text, top = 10, ignore_case = true }: WordCountInput): WordCountOutput {
  const words = (ignore_case ? text.toLowerCase() : text).match(/[\p{L}\p{N}'’-]+/gu) ?? [];
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const most_frequent = [...counts]
    .map(([word, count]) => ({ word, count }))
    .toSorted((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1))
    .slice(0, top);
  return { words: words.length, most_frequent };
}
