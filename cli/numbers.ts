/** Whole numbers on the command line. */
import { SwitchyardError } from "../src/core/errors.ts";

export function parseCount(option: string, text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new SwitchyardError("usage", `Cannot read ${option} "${text}": it must be a whole number from 1 on`);
}
