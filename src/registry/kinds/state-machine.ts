/**
 * State machines: what their analysis calls an error is refused, with the facts for which it is so; what it only warns of is
 * told once. What a requirement asks is there to be asked, and the services that go by the machine can go by it as it is now.
 */
import { SwitchyardError, type Issue } from "../../core/errors.ts";
import { analyse, type Finding } from "../../machines/analyse.ts";
import { leavesOf } from "../../machines/leaves.ts";
import { FACTS, type Leaf, type StateMachine } from "../../model/state-machines.ts";
import type { ServiceRow } from "../../model/services.ts";
import type { Use } from "../draft.ts";
import { checkCompiles } from "./compiles.ts";
import { checkInputFits } from "./operation-input.ts";
import { named, refuse, type KindRules, type WriteContext } from "./rules.ts";
import { checkFollows } from "./service-machine.ts";
import { checkTimeZone } from "./time-zone.ts";

const HINTS: Readonly<Record<Finding["kind"], string>> = {
  unknown_state: "add the state to states, or name one that is there",
  no_initial: "set initial to one of its states",
  duplicate_transition: "give each transition a name of its own",
  never: "change the requirement, or take the transition away",
  unreachable: "add a transition that leads there, or take the state away",
  overlap: "let one of them ask for what the other excludes: with not, or with another bound",
  flapping: "leave room between the two bounds, so that what moves it there does not move it back",
  misplaced_scale: "scale_by stands on a transition from a state to itself, and that state has replicas null",
  trap: "add a transition that leads out of it",
  not_analysed: "nothing else is to be done",
};

/** What the analysis takes in without keeping anybody waiting. */
const MOST_LEAVES = 500;

export const stateMachineRules: KindRules<"state_machine"> = {
  restore: (manifest, _resolved, context) => stateMachineRules.settle(manifest, context),
  async settle(manifest, context) {
    const uses = new Map<string, Use>();
    const asked = [...leaves(manifest)];
    if (asked.length > MOST_LEAVES) {
      throw refuse(
        "definition_invalid",
        "/transitions",
        `Cannot store the state machine "${manifest.name}": its requirements may ask ${MOST_LEAVES} things in all; they ask ${asked.length}`,
        "an expression or an operation can ask many things at once",
      );
    }
    for (const { leaf, pointer } of asked) {
      const operation = await checkLeaf(manifest.name, { leaf, pointer }, context);
      if (operation !== undefined) uses.set(operation, { kind: "operation", name: operation, written: true });
    }
    const warnings = checkFindings(manifest);
    await checkUsers(manifest, context);
    return { manifest, resolved: {}, uses: [...uses.values()], warnings };
  },
};

function* leaves({ transitions }: StateMachine): Generator<{ leaf: Leaf; pointer: string }> {
  for (const [place, { when }] of transitions.entries()) yield* leavesOf(when, `/transitions/${place}/when`);
}

/** What the analysis warns of. Throws definition_invalid, each error at its place. */
function checkFindings(machine: StateMachine): Issue[] {
  const findings = analyse(machine);
  const wrong = findings.filter(({ severity }) => severity === "error");
  const [first] = wrong;
  if (first === undefined) return findings.map(issueOf);
  const more = wrong.length === 1 ? "" : `, and ${wrong.length - 1} more`;
  throw new SwitchyardError(
    "definition_invalid",
    `Cannot store the state machine "${machine.name}": its analysis must find nothing wrong; it finds that ${first.detail}${more}`,
    { errors: wrong.map(issueOf), hint: HINTS[first.kind] },
  );
}

function issueOf({ kind, pointer, detail }: Finding): Issue {
  return { pointer, keyword: kind, detail };
}

/** The operation that it asks, if it is one. */
async function checkLeaf(
  machine: string,
  { leaf, pointer }: { leaf: Leaf; pointer: string },
  { draft }: WriteContext,
): Promise<string | undefined> {
  if ("operation" in leaf) {
    const row = await named(draft, "operation", leaf.operation, `${pointer}/operation`);
    await checkInputFits(`the state machine "${machine}"`, { row, input: leaf.input, pointer: `${pointer}/input` });
    return row.name;
  }
  if ("expression" in leaf) {
    await checkCompiles(`the state machine "${machine}"`, {
      source: leaf.expression,
      pointer: `${pointer}/expression`,
    });
  } else if ("between" in leaf) {
    checkTimeZone(`the state machine "${machine}"`, { zone: leaf.time_zone, pointer: `${pointer}/time_zone` });
  } else checkComparison(machine, { leaf, pointer });
  return undefined;
}

const WANTED = {
  integer: { is: "number", words: "a number" },
  number: { is: "number", words: "a number" },
  boolean: { is: "boolean", words: "true or false" },
  time: { is: "string", words: "a time such as 08:30" },
} as const;

function checkComparison(
  machine: string,
  { leaf, pointer }: { leaf: Extract<Leaf, { op: unknown }>; pointer: string },
): void {
  const { fact, op, value } = leaf;
  const { type } = FACTS[fact];
  const { is, words } = WANTED[type];
  if (typeof value !== is) {
    throw refuse(
      "definition_invalid",
      `${pointer}/value`,
      `Cannot store the state machine "${machine}": ${fact} must be compared with ${words}; it is compared with ${JSON.stringify(value)}`,
    );
  }
  if (type !== "boolean" || op === "=" || op === "!=") return;
  throw refuse(
    "definition_invalid",
    `${pointer}/op`,
    `Cannot store the state machine "${machine}": ${fact} is true or false, so op must be = or !=; it is ${op}`,
  );
}

async function checkUsers(machine: StateMachine, { draft, principal }: WriteContext): Promise<void> {
  for (const user of await draft.users("state_machine", machine.name)) {
    const service = user.kind === "service" ? await draft.row("service", user.name) : undefined;
    if (service === undefined) continue;
    await checkFollows(service.manifest as ServiceRow, machine, { draft, principal, at: "machine" });
  }
}
