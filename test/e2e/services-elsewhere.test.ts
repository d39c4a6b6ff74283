/** Services that no runner runs, on the real platform: behind an address, on Kubernetes and on ECS, the latter two as our tests have them. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeEcs } from "../../src/adapters/fargate/_fake-ecs.node.ts";
import { FakeEcsServices } from "../../src/adapters/fargate/_fake-ecs-services.node.ts";
import { FAKE_TOKEN, FakeApi } from "../../src/adapters/kubernetes/_fake-api.node.ts";
import { FakeWorkloads } from "../../src/adapters/kubernetes/_fake-workloads.node.ts";
import { openApp, type App } from "../contracts/service-host/app.ts";
import { startDev, type Dev } from "./_platform.ts";
import { alive, observe, put, untilService, type Json } from "./_services.ts";

let dev: Dev;
let app: App;
beforeAll(async () => {
  dev = await startDev();
  app = await openApp();
});
afterAll(async () => {
  app.close();
  await dev.stop();
});

/** An environment, a service there and the operations NAME and NAME_post. */
async function install(name: string, { environment, service }: { environment: Json; service: Json }): Promise<void> {
  await put(dev, `/registry/environments/${name}`, environment);
  await put(dev, `/registry/services/${name}`, { environment: name, ...service });
  await put(dev, `/registry/exposures/${name}`, { service: name });
  const provided = { exposure: name, path: "/albums" };
  await put(dev, `/registry/operations/${name}`, { provided_by: { ...provided, method: "GET" }, timeout_ms: 20_000 });
  await put(dev, `/registry/operations/${name}_post`, {
    provided_by: { ...provided, method: "POST" },
    timeout_ms: 20_000,
  });
}

async function secret(name: string, value: string): Promise<void> {
  await put(dev, `/registry/secrets/${name}`, { value });
}

test("one behind an address is called with its environment's credentials, and never stopped", async () => {
  await secret("web_token", "the-web-token");
  await install("web", {
    environment: {
      adapter: "http",
      config: { url: app.url, auth: "bearer", network: "private" },
      secrets: { token: "web_token" },
    },
    service: { run: { address: app.url }, health: { path: "/health", interval_ms: 200 } },
  });
  expect(await dev.call("web", { title: "a/b" })).toMatchObject({ status: 200, body: { url: "/albums?title=a%2Fb" } });
  expect(await dev.call("web_post", { title: "c" })).toMatchObject({ body: { method: "POST", body: '{"title":"c"}' } });
  expect(app.seen.map(({ headers }) => headers["authorization"])).toEqual([
    "Bearer the-web-token",
    "Bearer the-web-token",
  ]);
  expect(await observe(dev, "web")).toMatchObject({ state: "hot", replicas: [{ phase: "ready", address: app.url }] });

  // The only one is given requests all the same: there is nowhere else to go.
  app.health = 500;
  await untilService(dev, "web", ({ replicas }) => replicas.some(({ ended }) => ended !== null));
  app.health = 200;
  await untilService(dev, "web", ({ replicas: [only, ...more] }) => only?.ended === null && more.length === 0);
  expect(await dev.call("web", {})).toMatchObject({ status: 200 });
});

test("a container becomes a Deployment with the first call, and goes with it", async () => {
  const api = await new FakeApi().open();
  const workloads = (api.workloads = new FakeWorkloads());
  workloads.upstream = app.url;
  api.wantsToken = true;
  try {
    await secret("kube_token", FAKE_TOKEN);
    await secret("album_password", "hush");
    await install("shop", {
      environment: {
        adapter: "kubernetes-job",
        config: { api_server: api.url, network: "private" },
        secrets: { token: "kube_token" },
      },
      service: {
        run: { container: { image: "team/album:1" } },
        secrets: { PASSWORD: "album_password" },
        health: { path: "/health", interval_ms: 200 },
      },
    });
    expect(workloads.deployments.size).toBe(0);
    // By its own name, which is not known here, and then through the API server.
    expect(await dev.call("shop", { title: "x" })).toMatchObject({ status: 200, body: { url: "/albums?title=x" } });
    expect([workloads.deployments.size, workloads.services.size, workloads.secrets.size]).toEqual([1, 1, 1]);
    expect(JSON.stringify([...workloads.deployments.values()])).not.toContain("hush");
    expect(JSON.stringify([...workloads.secrets.values()])).toContain(btoa("hush"));

    await dev.call("undeploy_service", { name: "shop" });
    await untilService(dev, "shop", (status) => status.state === "cold" && alive(status).length === 0);
    expect([workloads.deployments.size, workloads.services.size, workloads.secrets.size]).toEqual([0, 0, 0]);
  } finally {
    api.close();
  }
});

test("a container becomes an ECS service with the first call, is rolled by an edit, moved by its environment's, and goes with it", async () => {
  const ecs = new FakeEcs();
  const services = (ecs.services = new FakeEcsServices());
  const elsewhere = new FakeEcs();
  const moved = (elsewhere.services = new FakeEcsServices());
  const servers = [await served(ecs), await served(elsewhere)];
  const [endpoint, other] = servers.map((each) => `http://127.0.0.1:${(each.address() as AddressInfo).port}/`);
  try {
    await secret("aws_id", "AKID");
    await secret("aws_key", "the-secret-key");
    await install("fleet", {
      environment: {
        adapter: "fargate",
        config: {
          region: "eu-central-1",
          task_definition: "template",
          container: "main",
          subnets: ["subnet-1"],
          endpoint,
          network: "private",
        },
        secrets: { access_key_id: "aws_id", secret_access_key: "aws_key" },
      },
      service: {
        run: { container: { image: "team/album:1" } },
        port: app.port,
        health: { path: "/health", interval_ms: 200 },
      },
    });
    expect(await dev.call("fleet", { title: "x" })).toMatchObject({ status: 200, body: { url: "/albums?title=x" } });
    expect(services.services.size).toBe(1);
    const edited = await dev.opctl(["edit", "service", "fleet", "-s", 'variables={"MODE":"new"}']);
    expect(edited).toMatchObject({ code: 0 });
    await expect
      .poll(() => JSON.stringify([...services.definitions.values()]), { timeout: 20_000 })
      .toContain('"MODE"');
    expect(await dev.call("fleet", {})).toMatchObject({ status: 200 });

    // Another region: there first, then gone where it was.
    const words = ["-s", "config.region=eu-west-1", "-s", `config.endpoint=${other}`];
    expect(await dev.opctl(["edit", "environment", "fleet", ...words])).toMatchObject({ code: 0 });
    await expect
      .poll(() => [standing(services), standing(moved)], { timeout: 20_000 })
      .toEqual([["INACTIVE"], ["ACTIVE"]]);
    await untilService(dev, "fleet", (status) => alive(status).length === 1);
    expect(await dev.call("fleet", {})).toMatchObject({ status: 200 });
    expect(services.definitions.size).toBe(0);

    await dev.call("undeploy_service", { name: "fleet" });
    await untilService(dev, "fleet", (status) => status.state === "cold" && alive(status).length === 0);
    expect([standing(moved), moved.definitions.size]).toEqual([["INACTIVE"], 0]);
  } finally {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  }
});

test("an environment that comes to name another namespace moves its service, and what it ran before is stopped there", async () => {
  const api = await new FakeApi().open();
  const spaces = ["blue", "green", "red"].map((name) => {
    const workloads = new FakeWorkloads();
    workloads.upstream = app.url;
    api.apart.set(name, workloads);
    return workloads;
  });
  const sizes = (): number[] =>
    spaces.map(({ deployments, services, secrets }) => deployments.size + services.size + secrets.size);
  const inNamespace = (namespace: string) => ({
    adapter: "kubernetes-job",
    config: { api_server: api.url, network: "private", namespace },
  });
  const moved = (wanted: number[]) => expect.poll(sizes, { timeout: 20_000 }).toEqual(wanted);
  const over = new AbortController();
  const refused: unknown[] = [];
  const calls = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const answer = await dev.call("nomad", {});
      if (answer.status !== 200) refused.push(answer);
    }
  };
  let callers: Promise<void>[] = [];
  try {
    await install("nomad", {
      environment: inNamespace("blue"),
      service: { run: { container: { image: "team/album:1" } }, health: { path: "/health", interval_ms: 200 } },
    });
    expect(await dev.call("nomad", {})).toMatchObject({ status: 200 });
    expect(sizes()).toEqual([3, 0, 0]);
    const [{ replica: first } = { replica: "" }] = (await observe(dev, "nomad")).replicas;
    callers = Array.from({ length: 4 }, calls);

    // What does not decide where it is moves nothing.
    const wider = { ...inNamespace("blue"), description: "the blue one", capabilities: { gpu: true } };
    await put(dev, "/registry/environments/nomad", wider);
    await put(dev, "/registry/environments/nomad", inNamespace("green"));
    await moved([0, 3, 0]);
    const { replicas, ...rest } = await observe(dev, "nomad");
    expect(replicas.map(({ replica, phase }) => [replica === first, phase])).toEqual([[false, "ready"]]);
    expect(rest).toMatchObject({ problem: null });

    // The row's own environment is another.
    await put(dev, "/registry/environments/nomad_too", inNamespace("red"));
    expect(await dev.opctl(["edit", "service", "nomad", "-s", "environment=nomad_too"])).toMatchObject({ code: 0 });
    await moved([0, 0, 3]);

    // What nobody here starts or stops takes its place, and the other way round.
    const row = { run: { container: { image: "team/album:1" } }, health: { path: "/health", interval_ms: 200 } };
    await put(dev, "/registry/environments/nomad_web", { adapter: "http", config: { network: "private" } });
    await put(dev, "/registry/services/nomad", { ...row, environment: "nomad_web", run: { address: app.url } });
    await moved([0, 0, 0]);
    await put(dev, "/registry/services/nomad", { ...row, environment: "nomad_too" });
    await moved([0, 0, 3]);

    over.abort();
    await Promise.all(callers);
    expect(refused).toEqual([]);

    // Told where it is to go, and gone before it can have gone there; so is what its environment was.
    await put(dev, "/registry/environments/nomad_too", inNamespace("blue"));
    for (const row of ["operations/nomad", "operations/nomad_post", "exposures/nomad", "services/nomad"]) {
      expect(await dev.request(`/registry/${row}`, { method: "DELETE" })).toMatchObject({ ok: true });
    }
    expect(await dev.request("/registry/environments/nomad_too", { method: "DELETE" })).toMatchObject({ ok: true });
    await moved([0, 0, 0]);
  } finally {
    over.abort();
    await Promise.all(callers);
    api.close();
  }
});

function standing({ services }: FakeEcsServices): string[] {
  return [...services.values()].map(({ status }) => status);
}

async function served(ecs: FakeEcs): Promise<Server> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
      const asked = new Request("http://ecs.test/", { method: "POST", headers, body: Buffer.concat(pieces) });
      void ecs.fetch(asked).then(async (answer) => response.writeHead(answer.status).end(await answer.text()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
