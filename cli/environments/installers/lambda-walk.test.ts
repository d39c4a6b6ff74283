/** The whole walk with the real SDK and signer, on IAM and Lambda in memory. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { zipOf } from "../zip.ts";
import { startFakeAws, type FakeAws } from "./_fake-aws.ts";
import { partitionOf } from "./aws-access.ts";
import { createIam } from "./iam.ts";
import { createFunctions } from "./lambda-functions.ts";
import { DESCRIPTION, type Wanted } from "./lambda-plan.ts";
import { walk } from "./lambda-walk.ts";

const REGION = "eu-central-1";
const CREDENTIALS = { accessKeyId: "AKID", secretAccessKey: "secret", sessionToken: "session" };
const POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
const ASKED: Omit<Wanted, "codeSha256"> = {
  functionName: "switchyard-host",
  roleName: "switchyard-switchyard-host",
  policy: POLICY,
};
const THREE = ["create the role", "attach", "create the function"];

let aws: FakeAws;
beforeEach(async () => void (aws = await startFakeAws()));
afterEach(() => aws.close());

/** Answers how each line begins, and what was waited for. */
async function run({
  asked = {},
  code = "1",
  dryRun = false,
}: { asked?: object; code?: string; dryRun?: boolean } = {}) {
  const said: string[] = [];
  const waits: string[] = [];
  let sleptMs = 0;
  aws.seen.length = 0;
  const { steps, arn } = await walk(
    { ...ASKED, ...asked },
    {
      iam: createIam(CREDENTIALS, partitionOf(REGION), aws.endpoint),
      functions: createFunctions(REGION, CREDENTIALS, aws.endpoint),
      zip: zipOf({ "index.mjs": code }),
      sleep: async (ms) => void (sleptMs += ms),
      done: (sentence) => said.push(sentence),
      waiting: (sentence) => waits.push(sentence),
    },
    { dryRun },
  );
  return { steps, arn, said, waits, sleptMs };
}

const begin = (sentences: string[], beginnings: string[]) =>
  expect(sentences).toEqual(beginnings.map((text) => expect.stringMatching(new RegExp(`^${text}`)) as unknown));
const CHANGES = /Create|Update|Attach/;

describe("walk()", () => {
  it("makes role and function, and finds nothing to do the second time", async () => {
    const first = await run();
    begin(first.said, THREE);
    expect(first.arn).toMatch(/^arn:aws:lambda:/);
    expect(aws.role).toMatchObject({ policies: [POLICY] });
    expect(aws.function).toMatchObject({
      Runtime: "nodejs24.x",
      Handler: "index.handler",
      Architectures: ["arm64"],
      Description: DESCRIPTION,
      Role: "arn:aws:iam::123456789012:role/switchyard-switchyard-host",
    });
    expect(aws.zip).toEqual(Buffer.from(zipOf({ "index.mjs": "1" })));
    expect(await run()).toMatchObject({ steps: [], said: [], sleptMs: 0 });
    expect(aws.seen.filter((action) => CHANGES.test(action))).toEqual([]);
  });

  it("changes nothing with dryRun, and says what it would do", async () => {
    const { steps, said } = await run({ dryRun: true });
    begin(steps, THREE);
    expect(said).toEqual([]);
    expect(aws.seen).toEqual(["lambda:GetFunctionConfiguration", "iam:GetRole"]);
  });

  it("waits until Lambda knows the role, and until the function is ready", async () => {
    aws.unknownFor = 3;
    // The first look of all is answered before there is a function.
    aws.pendingFor = 2;
    const { waits, sleptMs, said } = await run();
    expect(waits).toEqual(["waiting until Lambda knows the role", "waiting until Lambda has switchyard-host ready"]);
    expect(sleptMs).toBe(5 * 2_000);
    begin(said, THREE);
  });

  it("updates code and settings one after the other, each when the one before is through", async () => {
    await run();
    aws.pendingFor = 0;
    const { said } = await run({ code: "2", asked: { memoryMb: 2048 } });
    begin(said, ["update the code", "update the settings of switchyard-host: memory in MB 2048"]);
    expect(aws.seen).toEqual([
      "lambda:GetFunctionConfiguration",
      "lambda:UpdateFunctionCode",
      "lambda:GetFunctionConfiguration",
      "lambda:UpdateFunctionConfiguration",
      "lambda:GetFunctionConfiguration",
    ]);
    expect(aws.zip).toEqual(Buffer.from(zipOf({ "index.mjs": "2" })));
  });

  it("moves the function to another processor, once", async () => {
    await run();
    begin((await run({ asked: { architecture: "x86_64" } })).said, ["update the code of switchyard-host .x86_64."]);
    expect(await run({ asked: { architecture: "x86_64" } })).toMatchObject({ steps: [] });
    expect(await run()).toMatchObject({ steps: [] });
  });

  it("goes on where a run before broke off", async () => {
    aws.denied.add("lambda:CreateFunction");
    await expect(run()).rejects.toThrow("must permit lambda:CreateFunction");
    aws.denied.clear();
    begin((await run()).said, ["create the function"]);
  });

  it("asks nothing of IAM when a role is named", async () => {
    await run({ asked: { role: "arn:aws:iam::123456789012:role/mine" } });
    expect(aws.seen.filter((action) => action.startsWith("iam:"))).toEqual([]);
    expect(aws.function).toMatchObject({ Role: "arn:aws:iam::123456789012:role/mine" });
  });

  it("does not call a function done that has failed", async () => {
    await run();
    aws.failsWith = "no disk";
    await expect(run()).rejects.toThrow("it failed: no disk");
  });

  type Failure = [what: string, set: () => void, code: ErrorCode, message: string];
  it.each<Failure>([
    [
      "a role that Lambda never may assume",
      () => (aws.unknownFor = 1_000),
      "environment_misconfigured",
      "Lambda must be able to assume the role; after 120 s it is not",
    ],
    [
      "a function that does not become ready",
      () => (aws.pendingFor = 1_000),
      "timeout",
      "Lambda must get it ready within 120 s",
    ],
    ["a function that fails", () => (aws.failsWith = "no disk"), "environment_misconfigured", "it failed: no disk"],
    ...["iam:GetRole", "iam:CreateRole", "iam:AttachRolePolicy", "iam:PassRole", "lambda:CreateFunction"].map(
      (permission): Failure => [
        `the lack of ${permission}`,
        () => aws.denied.add(permission),
        "environment_refused",
        `your credentials must permit ${permission}; they do not`,
      ],
    ),
    ["AWS out of reach", () => aws.close(), "environment_unavailable", "Cannot reach AWS"],
  ])("says clearly what is wrong: %s", async (_what, set, code, message) => {
    set();
    await expect(run()).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
  });
});
