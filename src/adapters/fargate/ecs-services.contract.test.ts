import { openApp } from "../../../test/contracts/service-host/app.ts";
import { describeServiceHost } from "../../../test/contracts/service-host/contract.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { HEALTH_DEFAULTS } from "../../model/services.ts";
import { FakeEcs } from "./_fake-ecs.node.ts";
import { FakeEcsServices } from "./_fake-ecs-services.node.ts";
import { fargateAdapter } from "./fargate.ts";

const SECRETS = { access_key_id: "AKIDEXAMPLE", secret_access_key: "the-secret-key" };
const PASSWORD = "the-password";

/** To a task by its own address, or to what the row says stands before all of them. */
async function setUp(way: "task" | "service_url") {
  const app = await openApp();
  const ecs = new FakeEcs();
  const services = (ecs.services = new FakeEcsServices());
  const plain = fakePorts({ sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20))) });
  const toApp = plain.fetchOn("private");
  let isGone = false;
  let isRefused = false;
  const send = async (request: Request): Promise<Response> => {
    if (!request.headers.has("x-amz-target")) return toApp(request);
    if (isGone) throw new TypeError("fetch failed");
    if (isRefused) return Response.json({ __type: "AccessDeniedException", message: "no" }, { status: 400 });
    return ecs.fetch(request);
  };
  const { services: host } = fargateAdapter({ ...plain, fetchOn: () => send });
  if (host === undefined) throw new TypeError("it has no services");
  return {
    host,
    environment: environmentOf("fargate-eu", {
      config: {
        region: "eu-central-1",
        cluster: "c",
        task_definition: "switchyard-host:3",
        container: "main",
        subnets: ["subnet-1"],
        ...(way === "task" ? {} : { service_url: app.url }),
      },
      openSecrets: async () => SECRETS,
    }),
    spec: {
      run: { container: { image: "team/album:1", command: null } },
      port: app.port,
      variables: { PASSWORD },
      requires: {},
      stop_ms: 100,
      health: { ...HEALTH_DEFAULTS, path: "/health" },
    },
    app,
    breakApp: () => void (app.health = 500),
    refuse: () => void (isRefused = true),
    vanish: () => void (isGone = true),
    running: () => [...services.services.values()].filter(({ status }) => status === "ACTIVE").length,
    secrets: [...Object.values(SECRETS), PASSWORD],
    close: async () => app.close(),
  };
}

describeServiceHost("fargate, a task's own address", () => setUp("task"));

describeServiceHost("fargate, behind a load balancer", () => setUp("service_url"));
