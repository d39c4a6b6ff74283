/**
 * What has to be done so that Lambda has the host: a pure function from what is there and what is wanted to steps. Settings
 * that nobody asked for keep the value they have; only a new function gets the defaults.
 */
import { SwitchyardError } from "../../../src/core/errors.ts";

export const RUNTIME = "nodejs24.x";
export const HANDLER = "index.handler";
/** The host holds a process of up to 512 MB beside itself. The longest time-out costs nothing: the host ends calls itself. */
const DEFAULTS = { memoryMb: 1024, timeoutS: 900, architecture: "arm64" } as const;
/** By this a function is known to be ours. */
export const DESCRIPTION = "Switchyard's host, put here by opctl environment install";
export const ROLE_DESCRIPTION = "Switchyard's host runs as it; it may write its log and no more";

export type Architecture = "arm64" | "x86_64";
export type Settings = { runtime: string; handler: string; memoryMb: number; timeoutS: number; role: string };

export type FunctionThere = Settings & { arn: string; description: string; codeSha256: string; architecture: string };
export type RoleThere = { arn: string; description: string; policies: readonly string[] };
export type There = {
  function: FunctionThere | undefined;
  /** The one of our own name; nobody looks for it where the function is there or --role names another. */
  role: RoleThere | undefined;
};

export type Wanted = {
  functionName: string;
  codeSha256: string;
  roleName: string;
  /** ARN of the policy that lets it write its log. */
  policy: string;
  /** What somebody asked for. */
  role?: string;
  memoryMb?: number;
  timeoutS?: number;
  architecture?: Architecture;
};

export type Step =
  | { do: "create_role"; name: string }
  | { do: "attach_policy"; roleName: string; policy: string }
  /** `role` is undefined where a step before makes it. */
  | {
      do: "create_function";
      settings: Omit<Settings, "role"> & { role: string | undefined };
      architecture: Architecture;
    }
  | { do: "update_code"; architecture: string }
  | { do: "update_settings"; changes: Partial<Settings> };

/** Throws where the function or the role is somebody else's. */
export function planInstall(there: There, wanted: Wanted): Step[] {
  return there.function === undefined ? planNew(there, wanted) : planUpdate(there.function, wanted);
}

function planNew({ role }: There, wanted: Wanted): Step[] {
  const steps: Step[] = [];
  const { roleName, policy } = wanted;
  if (wanted.role === undefined) {
    if (role !== undefined && !isOurs(role)) {
      throw new SwitchyardError(
        "usage",
        `Cannot install the host as "${wanted.functionName}": a role named ${roleName} must be Switchyard's; it is another (${role.arn})`,
        { hint: "Give the one that the host is to run as: --role ARN." },
      );
    }
    if (role === undefined) steps.push({ do: "create_role", name: roleName });
    if (role?.policies.includes(policy) !== true) steps.push({ do: "attach_policy", roleName, policy });
  }
  const { memoryMb = DEFAULTS.memoryMb, timeoutS = DEFAULTS.timeoutS, architecture = DEFAULTS.architecture } = wanted;
  const settings = { runtime: RUNTIME, handler: HANDLER, memoryMb, timeoutS, role: wanted.role ?? role?.arn };
  return [...steps, { do: "create_function", settings, architecture }];
}

function planUpdate(found: FunctionThere, wanted: Wanted): Step[] {
  if (!isOurs(found)) {
    throw new SwitchyardError(
      "usage",
      `Cannot install the host as "${wanted.functionName}": a function of that name must be Switchyard's; it is another (${found.arn})`,
      { hint: "Name another in the environment's config.function." },
    );
  }
  const steps: Step[] = [];
  const architecture = wanted.architecture ?? found.architecture;
  if (found.codeSha256 !== wanted.codeSha256 || found.architecture !== architecture) {
    steps.push({ do: "update_code", architecture });
  }
  const settings: { [Name in keyof Settings]: Settings[Name] | undefined } = {
    runtime: RUNTIME,
    handler: HANDLER,
    memoryMb: wanted.memoryMb,
    timeoutS: wanted.timeoutS,
    role: wanted.role,
  };
  const changes = Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => value !== undefined && value !== found[name as keyof Settings]),
  ) as Partial<Settings>;
  if (Object.keys(changes).length > 0) steps.push({ do: "update_settings", changes });
  return steps;
}

function isOurs({ description }: { description: string }): boolean {
  return description.startsWith("Switchyard");
}

/** One line each, as what is to be done. */
export function describeStep(step: Step, functionName: string): string {
  switch (step.do) {
    case "create_role":
      return `create the role ${step.name}, which Lambda may assume`;
    case "attach_policy":
      return `attach ${step.policy} to the role ${step.roleName}`;
    case "create_function": {
      const { runtime, memoryMb, timeoutS } = step.settings;
      return `create the function ${functionName}: ${runtime} on ${step.architecture}, ${memoryMb} MB, ${timeoutS} s`;
    }
    case "update_code":
      return `update the code of ${functionName} (${step.architecture})`;
    case "update_settings": {
      const changes = Object.entries(step.changes).map(([name, value]) => `${WORDS[name as keyof Settings]} ${value}`);
      return `update the settings of ${functionName}: ${changes.join(", ")}`;
    }
  }
}

const WORDS: Readonly<Record<keyof Settings, string>> = {
  runtime: "runtime",
  handler: "handler",
  memoryMb: "memory in MB",
  timeoutS: "time-out in seconds",
  role: "role",
};
