/** `opctl environment install` for AWS Lambda: the host as a function, and a role for it that may write its log and no more. */
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";
import { LambdaConfigSchema } from "../../../src/adapters/lambda/config.ts";
import { SwitchyardError } from "../../../src/core/errors.ts";
import { bundleHost } from "../../build/host.ts";
import { packageFolder } from "../../build/workers.ts";
import type { Context } from "../../command.ts";
import type { JsonObject } from "../../registry.ts";
import type { Installer, InstallWords } from "../installer.ts";
import { zipOf } from "../zip.ts";
import { credentialsFrom, partitionOf } from "./aws-access.ts";
import { createIam } from "./iam.ts";
import { createFunctions } from "./lambda-functions.ts";
import type { Wanted } from "./lambda-plan.ts";
import { walk } from "./lambda-walk.ts";

export const installer: Installer = {
  async install({ name, config }, words, context) {
    const { output } = context;
    const settings = v.parse(LambdaConfigSchema, config);
    const { region, endpoint } = settings;
    const target = targetOf(settings.function);
    const credentials = credentialsFrom(process.env);
    const partition = partitionOf(region);
    const asked: Omit<Wanted, "codeSha256"> = {
      functionName: target.name,
      roleName: `switchyard-${target.plain}`.slice(0, 64),
      policy: `arn:${partition.name}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole`,
      ...readWords(words),
    };
    const dryRun = words.dryRun === true;
    const { steps, arn } = await walk(
      asked,
      {
        iam: createIam(credentials, partition, process.env["AWS_ENDPOINT_URL_IAM"]),
        functions: createFunctions(region, credentials, endpoint),
        zip: zipOf({ "index.mjs": await bundleHost(packageFolder(), "lambda") }),
        sleep: (ms) => setTimeout(ms),
        done: (sentence) => {
          if (!context.globals.json) output.data(`done: ${sentence}`);
        },
        waiting: (sentence) => output.say(sentence),
      },
      { dryRun },
    );
    const qualifier = settings.qualifier ?? target.qualifier;
    if (context.globals.json)
      return output.value({ environment: name, dry_run: dryRun, steps, function_arn: arn ?? null });
    if (steps.length === 0) output.data(`nothing to do: ${target.name} is as it should be`);
    else if (dryRun) for (const sentence of steps) output.data(`would ${sentence}`);
    sayWhatIsLeft(context, { arn, qualifier, changed: !dryRun && steps.length > 0 });
  },
};

function sayWhatIsLeft(
  { output }: Context,
  { arn, qualifier, changed }: { arn: string | undefined; qualifier: string | undefined; changed: boolean },
): void {
  if (!changed) return;
  if (qualifier !== undefined && qualifier !== "$LATEST") {
    output.warn(
      `the environment calls the version or alias "${qualifier}": publish what was installed and point it there`,
    );
  }
  output.say(`The environment's own credentials need lambda:InvokeFunction on ${arn ?? "it"}, and nothing else.`);
}

/** `plain` is the name alone, of a name, an ARN or a part of one; `name` is as it was, without a qualifier. */
function targetOf(text: string): { name: string; plain: string; qualifier: string | undefined } {
  const parts = text.split(":");
  const at = parts.length === 1 ? 0 : parts.indexOf("function") + 1;
  return { name: parts.slice(0, at + 1).join(":"), plain: parts[at] ?? text, qualifier: parts[at + 1] };
}

function readWords({ role, memoryMb, timeoutS, architecture }: InstallWords): Partial<Wanted> & JsonObject {
  if (role !== undefined && !/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(role)) {
    throw new SwitchyardError("usage", `Cannot read "--role ${role}": it must be the ARN of a role`);
  }
  return {
    ...(role === undefined ? {} : { role }),
    ...(architecture === undefined ? {} : { architecture }),
    ...(memoryMb === undefined ? {} : { memoryMb: readCount("--memory-mb", memoryMb, [256, 10_240]) }),
    ...(timeoutS === undefined ? {} : { timeoutS: readCount("--timeout-s", timeoutS, [1, 900]) }),
  };
}

function readCount(option: string, text: string, [least, most]: readonly [number, number]): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= least && count <= most) return count;
  throw new SwitchyardError(
    "usage",
    `Cannot read "${option} ${text}": it must be a whole number from ${least} to ${most}; it is ${text}`,
  );
}
