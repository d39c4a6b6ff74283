/**
 * How long opctl goes on asking a platform that does not answer while something is waited for: a restart is waited
 * out, a refusal is not, and a platform that stays away is said.
 */
import { ERRORS, SwitchyardError } from "../../src/core/errors.ts";
import type { Client } from "../client.ts";

const SHORTEST_MS = 100;
const LONGEST_MS = 2000;
const GIVE_UP_MS = 60_000;

export type Patience = {
  /** How long to wait before asking again. Throws the error when asking again does not mend it, or not any more. */
  afterFailure(error: unknown): number;
  /** It can be reached; whether it says anything is still to be seen. */
  reached(): void;
  /** It has answered. */
  restore(): void;
};

/** `tell`: whoever waits hears once that it is lost, and that it is back. */
export function createPatience({ tell }: Pick<Client, "tell">, now: () => number = Date.now): Patience {
  let failingSince: number | undefined;
  let waitMs = SHORTEST_MS;
  let isLost = false;
  const reached = (): void => {
    if (isLost) tell("the platform is back");
    isLost = false;
  };
  return {
    afterFailure: (error) => {
      failingSince ??= now();
      if (!passes(error) || now() - failingSince > GIVE_UP_MS) throw error;
      const why = error instanceof Error ? error.message : String(error);
      if (!isLost) tell(`the platform is lost: ${why}; asking again for a minute`);
      isLost = true;
      const thisTime = waitMs;
      waitMs = Math.min(waitMs * 2, LONGEST_MS);
      return thisTime;
    },
    reached,
    restore: () => {
      reached();
      failingSince = undefined;
      waitMs = SHORTEST_MS;
    },
  };
}

/** A refusal with 503 means later; what is no refusal is a connection that broke while the body was read. */
function passes(error: unknown): boolean {
  return !(error instanceof SwitchyardError) || ERRORS[error.code].status === 503;
}
