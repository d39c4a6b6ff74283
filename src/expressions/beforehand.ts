/**
 * What built-in functions are refused or charged for before they do it, because afterwards it would have been done:
 * texts that would fill the memory, and work that nothing between its beginning and its end could stop.
 */
import { LIMITS } from "../core/limits.ts";
import {
  chargeBytes,
  chargeSteps,
  chargeString,
  exceed,
  isFunction,
  type Meter,
  refuseValue,
  sizeOf,
} from "./meter.ts";
import { isDefinitePicture } from "./pictures.ts";

export const BEFORE: Readonly<Record<string, (meter: Meter, args: readonly unknown[]) => void>> = {
  pad: (meter, [text, width, fill]) => {
    if (typeof text !== "string") return;
    const chars = Math.abs(Number(width)) * (typeof fill === "string" && fill.length > 1 ? fill.length : 1);
    chargeString(meter, chars);
    chargeSteps(meter, chars >> 5);
  },
  join: (meter, [items, separator]) => {
    if (!Array.isArray(items)) return;
    chargeString(meter, sizeOf(meter, items) + items.length * (typeof separator === "string" ? separator.length : 0));
  },
  replace: (meter, [text, pattern, replacement]) => {
    if (typeof text !== "string" || typeof pattern !== "string" || typeof replacement !== "string") return;
    chargeString(meter, text.length + (text.length / Math.max(1, pattern.length)) * replacement.length);
  },
  split: (meter, [text, separator]) => {
    if (typeof text === "string" && separator === "") chargeSteps(meter, text.length >> 3);
  },
  formatNumber: (meter, [, picture, options]) => limitPicture(meter, picture, options),
  formatInteger: (meter, [value, picture]) => {
    limitPicture(meter, picture);
    // Roman numerals have an M for each thousand.
    if (typeof value === "number" && Math.abs(value) > 1e6 && /^[iI]/.test(String(picture))) {
      exceed(meter, "a number written in letters must be within ±1000000", String(value));
    }
  },
  parseInteger: (meter, [, picture]) => limitPicture(meter, picture),
  fromMillis: (meter, [, picture]) => limitPicture(meter, picture),
  toMillis: (meter, [text, picture]) => {
    limitPicture(meter, picture, text);
    if (typeof picture === "string" && !isDefinitePicture(picture)) {
      refuseValue(meter, "a picture of a time must say where each part ends", JSON.stringify(picture.slice(0, 60)));
    }
  },
  zip: (meter, lists) => {
    const lengths = lists.map((list) => (Array.isArray(list) ? list.length : 0));
    chargeBytes(meter, 8 * lists.length * Math.min(...lengths));
  },
  string: (meter, [value, prettify]) => {
    if (prettify === true) chargeString(meter, sizeOf(meter, value) + indentation(meter, value, 1));
  },
  spread: (meter, [value]) => {
    if (Array.isArray(value)) chargeSteps(meter, Math.ceil((value.length * value.length) / 1_024));
    // It takes a function apart, down to the code that it is made of.
    if (isFunction(value)) refuseValue(meter, "$spread takes objects", "a function");
  },
};

/** How many characters of white space stand before the lines of a value that is written out over many. */
function indentation(meter: Meter, value: unknown, depth: number): number {
  if (typeof value !== "object" || value === null || isFunction(value)) return 0;
  const members: unknown[] = Object.values(value);
  chargeSteps(meter, 1);
  let chars = 2 * depth * (members.length + 1);
  if (chars > LIMITS.expressionStringChars) return chars;
  for (const member of members) chars += indentation(meter, member, depth + 1);
  return chars;
}

const PICTURE_CHARS = 200;

function limitPicture(meter: Meter, ...texts: readonly unknown[]): void {
  for (const text of texts) {
    const chars = text === undefined ? 0 : sizeOf(meter, text);
    if (chars > PICTURE_CHARS) exceed(meter, `a picture may have at most ${PICTURE_CHARS} characters`, String(chars));
  }
}
