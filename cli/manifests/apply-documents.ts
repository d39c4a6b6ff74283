/** Makes the registry match documents, and says what became of each: what `opctl apply` does, for whatever made the documents. */
import { ERRORS, SwitchyardError } from "../../src/core/errors.ts";
import type { Context } from "../command.ts";
import { sayWarnings } from "../warnings.ts";
import { carryOut } from "./carry-out.ts";
import type { Document } from "./load.ts";
import { contentOf } from "./manifest.ts";
import { isNamedIn } from "./order.ts";
import { planApply, type Step } from "./plan.ts";

type Line = { kind: string; name: string; action: string; revision?: number };

/** Throws at the first document that is refused for good; what came before it is written. */
export async function applyDocuments(
  context: Context,
  documents: readonly Document[],
  options: { prune?: boolean; dryRun?: boolean } = {},
): Promise<void> {
  const steps = await planApply(context.client, documents, options.prune === true);
  const lines: Line[] = [];
  const report = (line: Line): void => {
    lines.push(line);
    if (!context.globals.json) context.output.data(describe(line, options.dryRun === true));
  };
  const take = async (step: Step): Promise<void> => {
    const kind = step.action === "delete" ? step.kind : step.document.kind;
    const name = step.action === "delete" ? step.entry.name : step.document.name;
    if (options.dryRun === true) return report({ kind, name, action: DONE[step.action] });
    try {
      const read = await carryOut(context.client, step);
      if (read !== undefined) sayWarnings(context.output, kind, read.entry);
      report({
        kind,
        name,
        action: outcomeOf(step, read?.entry.meta.revision),
        ...(read === undefined ? {} : { revision: read.entry.meta.revision }),
      });
    } catch (error) {
      const done = lines.length;
      throw error instanceof SwitchyardError ? stopped(error, { kind, name, done, of: steps.length }) : error;
    }
  };
  try {
    // What is deleted may be in use until all others are written.
    await takeAll(
      steps.filter(({ action }) => action !== "delete"),
      take,
    );
    await takeAll(
      steps.filter(({ action }) => action === "delete"),
      take,
    );
  } catch (error) {
    if (context.globals.json) context.output.value(lines);
    throw error;
  }
  if (context.globals.json) context.output.value(lines);
  else context.output.say(summary(lines, options.dryRun === true));
}

/**
 * Each is held against what is stored, and so against what others say that are written later: one that is refused for that is
 * taken again after all of them. The last has none to wait for, so each round has fewer than the one before.
 */
async function takeAll(steps: readonly Step[], take: (step: Step) => Promise<void>): Promise<void> {
  const putOff: Step[] = [];
  for (const [at, step] of steps.entries()) {
    try {
      await take(step);
    } catch (error) {
      if (!isRefusal(error) || !steps.slice(at + 1).some((later) => isHeldAgainst(step, later))) throw error;
      putOff.push(step);
    }
  }
  if (putOff.length > 0) await takeAll(putOff, take);
}

function isRefusal(error: unknown): boolean {
  return error instanceof SwitchyardError && ERRORS[error.code].fault === "user";
}

/** The other is stored otherwise than it will be, and names it there. */
function isHeldAgainst(step: Step, other: Step): boolean {
  if (step.action !== "change" || other.action !== "change") return false;
  return isNamedIn(contentOf(other.read.entry), step.document.name);
}

const DONE = {
  create: "created",
  change: "changed",
  unchanged: "unchanged",
  delete: "deleted",
} as const satisfies Record<Step["action"], string>;

/** The registry makes no revision of a write that changes nothing (a type that another write brought along). */
function outcomeOf(step: Step, revision: number | undefined): string {
  if (step.action === "change" && step.read.entry.meta.revision === revision) return DONE.unchanged;
  return DONE[step.action];
}

function describe({ kind, name, action, revision }: Line, dryRun: boolean): string {
  if (dryRun) return `${kind} ${name}: ${action === DONE.unchanged ? action : `would be ${action}`}`;
  return `${kind} ${name}: ${action}${revision === undefined ? "" : ` (revision ${revision})`}`;
}

function summary(lines: readonly Line[], dryRun: boolean): string {
  const counts = Object.values(DONE)
    .map((action) => [lines.filter((line) => line.action === action).length, action] as const)
    .filter(([count]) => count > 0)
    .map(([count, action]) => `${count} ${action}`);
  return `${dryRun ? "Nothing was written. It would be: " : ""}${counts.join(", ")}`;
}

type Place = { kind: string; name: string; done: number; of: number };

function stopped(error: SwitchyardError, { kind, name, done, of }: Place): SwitchyardError {
  const rest = `Stopped at ${kind} ${name}, ${done} of ${of} done. Mend it and run the same command again: it goes on from there.`;
  return new SwitchyardError(error.code, error.message, {
    hint: error.hint === undefined ? rest : `${error.hint}\n${rest}`,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    cause: error,
  });
}
