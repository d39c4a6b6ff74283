import { openApp } from "../../../test/contracts/service-host/app.ts";
import { describeServiceHost } from "../../../test/contracts/service-host/contract.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { HEALTH_DEFAULTS } from "../../model/services.ts";
import { FAKE_TOKEN, FakeApi } from "./_fake-api.node.ts";
import { FakeWorkloads } from "./_fake-workloads.node.ts";
import { kubernetesJobAdapter } from "./kubernetes-job.ts";

const SECRET = "the-password";

async function setUp() {
  const app = await openApp();
  const api = await new FakeApi().open();
  const workloads = new FakeWorkloads();
  workloads.upstream = app.url;
  api.workloads = workloads;
  api.wantsToken = true;
  let token = FAKE_TOKEN;
  const { services } = kubernetesJobAdapter(
    fakePorts({ sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20))) }),
  );
  if (services === undefined) throw new TypeError("it has no services");
  return {
    host: services,
    environment: environmentOf("cluster", { config: { api_server: api.url }, openSecrets: async () => ({ token }) }),
    spec: {
      run: { container: { image: "team/album:1", command: null } },
      port: null,
      variables: { PASSWORD: SECRET },
      requires: {},
      stop_ms: 100,
      health: { ...HEALTH_DEFAULTS, path: "/health" },
    },
    app,
    breakApp() {
      workloads.pod = {
        phase: "Running",
        containerStatuses: [{ name: "work", restartCount: 0, state: { running: {} } }],
      };
    },
    refuse: () => void (token = "another"),
    vanish: () => api.close(),
    running: () => workloads.deployments.size,
    via: "environment" as const,
    secrets: [FAKE_TOKEN, SECRET],
    async close() {
      app.close();
      api.close();
    },
  };
}

describeServiceHost("kubernetes-job, through the API server", setUp);
