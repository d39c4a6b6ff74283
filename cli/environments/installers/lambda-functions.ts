/** The requests of Lambda that an installation needs. Each error says which permission its request needs. */
import {
  CreateFunctionCommand,
  GetFunctionConfigurationCommand,
  LambdaClient,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type FunctionConfiguration,
  type Runtime,
} from "@aws-sdk/client-lambda";
import { installError, type AwsCredentials } from "./aws-access.ts";
import { DESCRIPTION, type Architecture, type FunctionThere, type Settings } from "./lambda-plan.ts";

/** `reason` is said where it failed. */
export type Standing = { kind: "settled" | "underway" } | { kind: "failed"; reason: string };
export type Found = FunctionThere & { standing: Standing };

export type Functions = {
  find(name: string): Promise<Found | undefined>;
  /** "not_yet": IAM has not told Lambda of the role so far. */
  create(name: string, zip: Uint8Array, settings: Settings, architecture: Architecture): Promise<"done" | "not_yet">;
  updateCode(name: string, zip: Uint8Array, architecture: string): Promise<void>;
  updateSettings(name: string, changes: Partial<Settings>): Promise<"done" | "not_yet">;
};

export function createFunctions(region: string, credentials: AwsCredentials, endpoint?: string): Functions {
  const client = new LambdaClient({ region, credentials, ...(endpoint === undefined ? {} : { endpoint }) });
  return {
    async find(FunctionName) {
      try {
        return foundOf(await client.send(new GetFunctionConfigurationCommand({ FunctionName })));
      } catch (thrown) {
        if (nameOf(thrown) === "ResourceNotFoundException") return undefined;
        throw installError(thrown, "lambda:GetFunctionConfiguration");
      }
    },
    create: (name, zip, settings, architecture) =>
      unlessTooEarly("lambda:CreateFunction", () =>
        client.send(
          new CreateFunctionCommand({
            FunctionName: name,
            Description: DESCRIPTION,
            Code: { ZipFile: zip },
            PackageType: "Zip",
            Architectures: [architecture],
            Role: settings.role,
            Runtime: settings.runtime as Runtime,
            Handler: settings.handler,
            MemorySize: settings.memoryMb,
            Timeout: settings.timeoutS,
          }),
        ),
      ),
    async updateCode(FunctionName, ZipFile, architecture) {
      try {
        const Architectures = [architecture as Architecture];
        await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile, Architectures }));
      } catch (thrown) {
        throw installError(thrown, "lambda:UpdateFunctionCode");
      }
    },
    updateSettings: (name, { role, runtime, handler, memoryMb, timeoutS }) =>
      unlessTooEarly("lambda:UpdateFunctionConfiguration", () =>
        client.send(
          new UpdateFunctionConfigurationCommand({
            FunctionName: name,
            ...(role === undefined ? {} : { Role: role }),
            ...(runtime === undefined ? {} : { Runtime: runtime as Runtime }),
            ...(handler === undefined ? {} : { Handler: handler }),
            ...(memoryMb === undefined ? {} : { MemorySize: memoryMb }),
            ...(timeoutS === undefined ? {} : { Timeout: timeoutS }),
          }),
        ),
      ),
  };
}

async function unlessTooEarly(permission: string, send: () => Promise<unknown>): Promise<"done" | "not_yet"> {
  try {
    await send();
    return "done";
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : "";
    if (nameOf(thrown) === "InvalidParameterValueException" && /cannot be assumed by Lambda/.test(message)) {
      return "not_yet";
    }
    // Creating a function with a role takes a second permission, whose name is in AWS's own words.
    throw installError(thrown, /iam:PassRole/.test(message) ? "iam:PassRole" : permission);
  }
}

function foundOf(found: FunctionConfiguration): Found {
  return {
    arn: found.FunctionArn ?? "",
    description: found.Description ?? "",
    codeSha256: found.CodeSha256 ?? "",
    architecture: found.Architectures?.[0] ?? "x86_64",
    runtime: found.Runtime ?? "",
    handler: found.Handler ?? "",
    memoryMb: found.MemorySize ?? 0,
    timeoutS: found.Timeout ?? 0,
    role: found.Role ?? "",
    standing: standingOf(found),
  };
}

function standingOf({ State, StateReason, LastUpdateStatus, LastUpdateStatusReason }: FunctionConfiguration): Standing {
  if (State === "Failed") return { kind: "failed", reason: StateReason ?? "it does not say why" };
  if (LastUpdateStatus === "Failed") return { kind: "failed", reason: LastUpdateStatusReason ?? "it does not say why" };
  return { kind: State === "Pending" || LastUpdateStatus === "InProgress" ? "underway" : "settled" };
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : "";
}
