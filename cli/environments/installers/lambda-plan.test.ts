import { describe, expect, it } from "vitest";
import { DESCRIPTION, describeStep, planInstall, ROLE_DESCRIPTION, type There, type Wanted } from "./lambda-plan.ts";

const POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
const ROLE = "arn:aws:iam::1:role/switchyard-host";
const OTHER_ROLE = "arn:aws:iam::1:role/other";
const WANTED: Wanted = { functionName: "host", codeSha256: "new", roleName: "switchyard-host", policy: POLICY };
const FUNCTION: There["function"] & {} = {
  arn: "arn:aws:lambda:eu-central-1:1:function:host",
  description: DESCRIPTION,
  codeSha256: "new",
  architecture: "arm64",
  runtime: "nodejs24.x",
  handler: "index.handler",
  memoryMb: 2048,
  timeoutS: 60,
  role: ROLE,
};
const OURS = { arn: ROLE, description: ROLE_DESCRIPTION };
const nothing: There = { function: undefined, role: undefined };
const has = (over: Partial<typeof FUNCTION> = {}): There => ({ function: { ...FUNCTION, ...over }, role: undefined });

const CREATE_ROLE = "create the role switchyard-host, which Lambda may assume";
const ATTACH = `attach ${POLICY} to the role switchyard-host`;
const CREATE = "create the function host: nodejs24.x on arm64, 1024 MB, 900 s";
const UPDATE_CODE = "update the code of host (arm64)";

type Case = [what: string, there: There, asked: Partial<Wanted>, steps: string[]];
const CASES: Case[] = [
  ["nothing is there", nothing, {}, [CREATE_ROLE, ATTACH, CREATE]],
  ["a role is named", nothing, { role: OTHER_ROLE }, [CREATE]],
  ["an earlier run broke off after the role", { ...nothing, role: { ...OURS, policies: [] } }, {}, [ATTACH, CREATE]],
  ["…or after the policy", { ...nothing, role: { ...OURS, policies: [POLICY] } }, {}, [CREATE]],
  [
    "a new one is wanted otherwise",
    nothing,
    { role: OTHER_ROLE, memoryMb: 512, timeoutS: 30, architecture: "x86_64" },
    ["create the function host: nodejs24.x on x86_64, 512 MB, 30 s"],
  ],
  ["all is as wanted, and nobody asked for settings", has(), {}, []],
  ["all is as wanted and said", has(), { memoryMb: 2048, timeoutS: 60, architecture: "arm64", role: ROLE }, []],
  ["the code is older", has({ codeSha256: "old" }), {}, [UPDATE_CODE]],
  ["the processor is another", has(), { architecture: "x86_64" }, ["update the code of host (x86_64)"]],
  ["the runtime is older", has({ runtime: "nodejs22.x" }), {}, ["update the settings of host: runtime nodejs24.x"]],
  [
    "everything differs",
    has({ codeSha256: "old", handler: "main.handler" }),
    { memoryMb: 512, timeoutS: 30, role: OTHER_ROLE },
    [
      UPDATE_CODE,
      `update the settings of host: handler index.handler, memory in MB 512, time-out in seconds 30, role ${OTHER_ROLE}`,
    ],
  ],
];

describe("planInstall()", () => {
  it.each(CASES)("when %s", (_what, there, asked, steps) => {
    const plan = planInstall(there, { ...WANTED, ...asked });
    expect(plan.map((step) => describeStep(step, "host"))).toEqual(steps);
  });

  it("changes no function that is not Switchyard's", () => {
    expect(() => planInstall(has({ description: "Thumbnails" }), WANTED)).toThrow(
      'Cannot install the host as "host": a function of that name must be Switchyard\'s; it is another',
    );
  });

  it("takes no role that is not Switchyard's, whatever it is called", () => {
    const there = { ...nothing, role: { arn: ROLE, description: "Admins", policies: [POLICY] } };
    expect(() => planInstall(there, WANTED)).toThrow("a role named switchyard-host must be Switchyard's");
    expect(planInstall(there, { ...WANTED, role: ROLE })).toHaveLength(1);
  });

  it("gives a new function the role that is there, or leaves it to the step before", () => {
    const roles = [nothing, { ...nothing, role: { ...OURS, policies: [] } }].map((there) => {
      const step = planInstall(there, WANTED).at(-1);
      return step?.do === "create_function" ? step.settings.role : "none";
    });
    expect(roles).toEqual([undefined, ROLE]);
  });
});
