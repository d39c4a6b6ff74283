/** What the tests of types share. */
import { SwitchyardError, type Issue } from "../core/errors.ts";
import type { TypeDefinition } from "./index.ts";

export const none = (): undefined => undefined;
export const from = (types: Record<string, TypeDefinition>) => (name: string) => types[name];

export async function refusalOf(run: () => Promise<unknown>): Promise<{ code: string; issues: readonly Issue[] }> {
  try {
    await run();
  } catch (error) {
    if (error instanceof SwitchyardError) return { code: error.code, issues: error.errors ?? [] };
    throw error;
  }
  throw new Error("was accepted");
}
