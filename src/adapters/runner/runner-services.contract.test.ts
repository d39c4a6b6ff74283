import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { openApp } from "../../../test/contracts/service-host/app.ts";
import { describeServiceHost } from "../../../test/contracts/service-host/contract.ts";
import { startInProcess } from "../../../test/contracts/service-host/runner-in-process.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { HEALTH_DEFAULTS } from "../../model/services.ts";
import { runnerAdapter } from "./runner.ts";

/** A server that hands all that it gets on to the test's own, as long as it runs. */
const RELAY = `
const net = require("node:net");
console.log("the key is " + process.env.KEY);
net.createServer((from) => {
  const to = net.connect(Number(process.env.APP_PORT), "127.0.0.1");
  for (const [one, other] of [[from, to], [to, from]]) {
    one.pipe(other);
    one.on("error", () => {});
    one.on("close", () => other.destroy());
  }
}).listen(Number(process.env.PORT), process.env.HOST);
`;
const SECRET = "sesame-open";

async function setUp(via: "direct" | "environment") {
  const app = await openApp();
  const inside = startInProcess();
  const serviceHost = via === "direct" ? "127.0.0.1" : undefined;
  const { replicas } = inside.connect("desk", { serviceHost });
  const { services } = runnerAdapter({ ...fakePorts(), pool: () => inside.port });
  if (services === undefined) throw new TypeError("it has no services");
  return {
    host: services,
    environment: environmentOf("rack-1", { adapter: "runner", config: { wait_ms: 200, service_hosts: ["127.0.0.1"] } }),
    spec: {
      run: { process: { command: [process.execPath, "--eval", RELAY], working_directory: null } },
      port: null,
      variables: { KEY: SECRET, APP_PORT: String(app.port) },
      requires: {},
      stop_ms: 500,
      health: { ...HEALTH_DEFAULTS, path: "/health", interval_ms: 100 },
    },
    app,
    breakApp: () => void (app.health = 500),
    refuse: () => undefined,
    vanish: () => undefined,
    running: () => replicas.reports().filter(({ status }) => status !== "ended").length,
    via,
    secrets: [SECRET],
    async close() {
      await inside.close();
      app.close();
    },
  };
}

const CANNOT = {
  refuse: "runners come to us: there are no credentials to refuse",
  vanish: "what a runner that is gone had is gone with it: the pool tells the services",
  scale: "replicas are single",
  credentials: "there are none",
};

describeServiceHost("runner, through its connection", () => setUp("environment"), CANNOT);
describeServiceHost("runner, at an address of its own", () => setUp("direct"), CANNOT);
