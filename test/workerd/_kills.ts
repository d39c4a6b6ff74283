/** Around which writes objects are killed: around every fourth, or with KILLS=all around every one, which takes minutes more. */
import { env } from "cloudflare:workers";

export const EVERY = (env as { KILLS?: string }).KILLS === "all" ? 1 : 4;

/** Those before a write and those after one begin at different ones. */
export function firstKill(where: "dieBefore" | "dieAfter"): number {
  return EVERY === 1 || where === "dieBefore" ? 1 : 3;
}
