/**
 * What agents are told of a function of the platform. Its name begins with what it does, so a new function has the right
 * hints without another line; one whose first word is not here is only said to change something.
 */
import type { Annotations } from "../../model/entities.ts";

const NOTHING: Annotations = { title: null, read_only: null, destructive: null, idempotent: null, open_world: null };
const READS: Annotations = { ...NOTHING, read_only: true, open_world: false };
const ADDS: Annotations = { ...NOTHING, read_only: false, destructive: false, idempotent: false, open_world: false };
const REPLACES: Annotations = { ...NOTHING, read_only: false, destructive: true, idempotent: true, open_world: false };
const ACTS: Annotations = { ...NOTHING, read_only: false };

const BY_VERB: Readonly<Record<string, Annotations>> = {
  list: READS,
  get: READS,
  verify: READS,
  plan: READS,
  observe: READS,
  // agent_status.
  agent: READS,
  check: { ...READS, open_world: true },
  create: ADDS,
  duplicate: ADDS,
  put: REPLACES,
  edit: REPLACES,
  rollback: REPLACES,
  delete: REPLACES,
  cancel: REPLACES,
};

export function annotationsOf(name: string): Annotations {
  const verb = name.split("_", 1)[0] ?? "";
  return Object.hasOwn(BY_VERB, verb) ? (BY_VERB[verb] ?? ACTS) : ACTS;
}
