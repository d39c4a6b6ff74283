import { describeAdapterContract } from "../../../test/contracts/adapter/contract.ts";
import { jobPlace, JOBS_CANNOT, QUICK } from "../../../test/contracts/adapter/job-place.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import type { Implementation } from "../../model/resolved.ts";
import { FAKE_TOKEN, FakeApi, statusOf } from "./_fake-api.node.ts";
import { kubernetesJobAdapter } from "./kubernetes-job.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "f", language: "javascript" };
const CONTAINER: Implementation = { kind: "container", image: "team/thumb:1", command: null };
const REFUSALS = {
  throttled: statusOf(
    403,
    "Forbidden",
    'jobs.batch "j" is forbidden: exceeded quota: few, requested: count/jobs.batch=1',
  ),
  refused: statusOf(401, "Unauthorized", "Unauthorized"),
  missing: statusOf(404, "NotFound", 'namespaces "default" not found'),
};

async function setUp(implementation: Implementation) {
  const api = await new FakeApi().open();
  const { ports, place, started, refusal } = jobPlace({
    vanish: () => api.close(),
    breakOff() {
      api.podStatus = { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." };
    },
    stopped: () => api.deleted > 0,
  });
  api.wantsToken = true;
  api.onCreate = started;
  api.refusal = () => {
    const how = refusal();
    return how === undefined ? undefined : REFUSALS[how];
  };
  return {
    ...place,
    adapter: kubernetesJobAdapter(ports, QUICK),
    implementation,
    environment: environmentOf("cluster", {
      config: { api_server: api.url, image: "registry.test/switchyard-host:1" },
      openSecrets: async () => ({ token: FAKE_TOKEN }),
    }),
    secrets: [FAKE_TOKEN],
    close: async () => api.close(),
  };
}

describeAdapterContract("kubernetes-job, our host", () => setUp(MODULE), JOBS_CANNOT);

describeAdapterContract("kubernetes-job, a container of the team's", () => setUp(CONTAINER), {
  ...JOBS_CANNOT,
  unreachable: "a container may have had all it needs from the start whose answer was lost",
});
