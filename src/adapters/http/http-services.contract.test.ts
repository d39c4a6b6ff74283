import { openApp } from "../../../test/contracts/service-host/app.ts";
import { describeServiceHost } from "../../../test/contracts/service-host/contract.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { HEALTH_DEFAULTS } from "../../model/services.ts";
import { httpAdapter } from "./http.ts";

const TOKEN = "the-token";

async function setUp(auth: "none" | "bearer") {
  const app = await openApp();
  const { services } = httpAdapter(fakePorts());
  if (services === undefined) throw new TypeError("it has no services");
  let secrets: Record<string, string> = { token: TOKEN };
  return {
    host: services,
    environment: environmentOf("web", {
      config: { url: app.url, auth, network: "private" },
      openSecrets: async () => secrets,
    }),
    spec: {
      run: { address: app.url },
      port: null,
      variables: {},
      requires: {},
      stop_ms: 100,
      health: { ...HEALTH_DEFAULTS, path: "/health", interval_ms: 20 },
    },
    app,
    breakApp: () => void (app.health = 500),
    refuse: () => void (secrets = {}),
    vanish: () => undefined,
    secrets: [TOKEN],
    close: async () => app.close(),
  };
}

const CANNOT = {
  stop: "what runs already is not ours to stop",
  list: "there is one address, whoever asks",
  scale: "an address is one replica",
  vanish: "the place is the service: it is not healthy then",
};

describeServiceHost("http, an address", () => setUp("none"), {
  ...CANNOT,
  refuse: "it takes no credentials",
});

describeServiceHost("http, an address that has the environment's credentials", () => setUp("bearer"), {
  ...CANNOT,
  credentials: "the service is who they are for",
});
