/** Looks at what is there, plans, and takes the steps; waits where AWS comes around to something only after a while. */
import { createHash } from "node:crypto";
import { SwitchyardError } from "../../../src/core/errors.ts";
import type { Iam } from "./iam.ts";
import type { Found, Functions } from "./lambda-functions.ts";
import { describeStep, planInstall, type Step, type Wanted } from "./lambda-plan.ts";

export type WalkPorts = {
  iam: Iam;
  functions: Functions;
  zip: Uint8Array;
  sleep: (ms: number) => Promise<void>;
  /** A step that was taken. */
  done: (sentence: string) => void;
  waiting: (sentence: string) => void;
};

/** New roles are known to Lambda after some 10 s; updates take less. */
const LOOK_MS = 2_000;
const LOOKS_MOST = 60;

export type Walked = { steps: string[]; arn: string | undefined };

export async function walk(
  asked: Omit<Wanted, "codeSha256">,
  ports: WalkPorts,
  options: { dryRun: boolean },
): Promise<Walked> {
  const { iam, functions, zip } = ports;
  const wanted: Wanted = { ...asked, codeSha256: createHash("sha256").update(zip).digest("base64") };
  const name = wanted.functionName;
  let found = await functions.find(name);
  const looksForRole = found === undefined && wanted.role === undefined;
  const role = looksForRole ? await iam.findRole(wanted.roleName) : undefined;
  const steps = planInstall({ function: found, role }, wanted);
  const sentences = steps.map((step) => describeStep(step, name));
  if (found !== undefined && steps.length === 0 && !options.dryRun) await settled(name, ports);
  if (options.dryRun) return { steps: sentences, arn: found?.arn };
  if (steps.length > 0 && found?.standing.kind === "underway") found = await settled(name, ports);
  let newRole: string | undefined;
  for (const [place, step] of steps.entries()) {
    newRole = (await take(step, { name, newRole }, ports)) ?? newRole;
    if (/function|code|settings/.test(step.do)) found = await settled(name, ports);
    ports.done(sentences[place] ?? "");
  }
  return { steps: sentences, arn: found?.arn };
}

/** Answers the ARN of a role that it made. */
async function take(
  step: Step,
  { name, newRole }: { name: string; newRole: string | undefined },
  ports: WalkPorts,
): Promise<string | undefined> {
  const { iam, functions, zip } = ports;
  switch (step.do) {
    case "create_role":
      return iam.createRole(step.name);
    case "attach_policy":
      await iam.attachPolicy(step.roleName, step.policy);
      return undefined;
    case "create_function": {
      const role = step.settings.role ?? newRole ?? "";
      const settings = { ...step.settings, role };
      await untilAssumable(role, ports, () => functions.create(name, zip, settings, step.architecture));
      return undefined;
    }
    case "update_code":
      await functions.updateCode(name, zip, step.architecture);
      return undefined;
    case "update_settings":
      await untilAssumable(step.changes.role ?? "", ports, () => functions.updateSettings(name, step.changes));
      return undefined;
  }
}

async function untilAssumable(
  role: string,
  { sleep, waiting }: WalkPorts,
  send: () => Promise<"done" | "not_yet">,
): Promise<void> {
  for (let look = 0; look < LOOKS_MOST; look++) {
    if ((await send()) === "done") return;
    if (look === 0) waiting("waiting until Lambda knows the role");
    await sleep(LOOK_MS);
  }
  throw new SwitchyardError(
    "environment_misconfigured",
    `Cannot run a function as ${role}: Lambda must be able to assume the role; after ${seconds()} s it is not`,
    { hint: "Its trust policy must name lambda.amazonaws.com for sts:AssumeRole. Run the same command again." },
  );
}

async function settled(name: string, { functions, sleep, waiting }: WalkPorts): Promise<Found> {
  for (let look = 0; look < LOOKS_MOST; look++) {
    const found = await functions.find(name);
    if (found?.standing.kind === "failed") {
      throw new SwitchyardError(
        "environment_misconfigured",
        `Cannot bring up the function "${name}": Lambda must get it ready; it failed: ${found.standing.reason}`,
      );
    }
    if (found?.standing.kind === "settled") return found;
    if (look === 0) waiting(`waiting until Lambda has ${name} ready`);
    await sleep(LOOK_MS);
  }
  throw new SwitchyardError(
    "timeout",
    `Cannot wait any longer for the function "${name}": Lambda must get it ready within ${seconds()} s; it has not`,
    { hint: "Run the same command again: what is done already is not done again." },
  );
}

function seconds(): number {
  return (LOOK_MS * LOOKS_MOST) / 1_000;
}
