import { describeAdapterContract } from "../../../test/contracts/adapter/contract.ts";
import { jobPlace, JOBS_CANNOT, QUICK, type Refusal } from "../../../test/contracts/adapter/job-place.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import type { Implementation } from "../../model/resolved.ts";
import { FakeEcs } from "./_fake-ecs.node.ts";
import { fargateAdapter } from "./fargate.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "f", language: "javascript" };
const CONTAINER: Implementation = { kind: "container", image: "team/thumb:1", command: null };
const SECRETS = { access_key_id: "AKIDEXAMPLE", secret_access_key: "the-secret-key" };
const TYPES: Record<Refusal, string> = {
  throttled: "ThrottlingException",
  refused: "AccessDeniedException",
  missing: "ClusterNotFoundException",
};

async function setUp(implementation: Implementation) {
  const ecs = new FakeEcs();
  let isGone = false;
  const { ports, place, started, refusal } = jobPlace({
    vanish: () => (isGone = true),
    breakOff() {
      ecs.task = {
        lastStatus: "STOPPED",
        stopCode: "SpotInterruption",
        stoppedReason: "Your Spot Task was interrupted.",
      };
    },
    stopped: () => ecs.asked.some(({ action }) => action === "StopTask"),
  });
  const send = async (request: Request): Promise<Response> => {
    if (isGone) throw new TypeError("fetch failed");
    const isStart = request.headers.get("x-amz-target")?.endsWith(".RunTask") === true;
    const how = isStart ? refusal() : undefined;
    if (how !== undefined) return Response.json({ __type: TYPES[how], message: "no" }, { status: 400 });
    const response = await ecs.fetch(request);
    if (isStart) started();
    return response;
  };
  return {
    ...place,
    adapter: fargateAdapter({ ...ports, fetchOn: () => send }, QUICK),
    implementation,
    environment: environmentOf("fargate-eu", {
      config: {
        region: "eu-central-1",
        cluster: "c",
        task_definition: "switchyard-host:3",
        container: "main",
        subnets: ["subnet-1"],
      },
      openSecrets: async () => SECRETS,
    }),
    secrets: Object.values(SECRETS),
    close: async () => undefined,
  };
}

describeAdapterContract("fargate, our host", () => setUp(MODULE), JOBS_CANNOT);

describeAdapterContract("fargate, a container of the team's", () => setUp(CONTAINER), JOBS_CANNOT);
