/**
 * Jobs and services of Kubernetes against what we did not write: the schemas of the API (kubernetes-models), and kubectl as a second
 * client of the API server that our tests use.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeApi } from "../../src/adapters/kubernetes/_fake-api.node.ts";
import { FakeWorkloads } from "../../src/adapters/kubernetes/_fake-workloads.node.ts";
import { KubernetesJobConfigSchema } from "../../src/adapters/kubernetes/config.ts";
import { setObjects } from "../../src/adapters/kubernetes/deployment-body.ts";
import { jobBody } from "../../src/adapters/kubernetes/job-body.ts";
import { kubernetesJobAdapter } from "../../src/adapters/kubernetes/kubernetes-job.ts";
import { environmentOf } from "../../src/model/_environment.test-util.ts";
import type { StartOrder } from "../../src/adapters/service-host.ts";
import { HEALTH_DEFAULTS } from "../../src/model/services.ts";
import type { Implementation } from "../../src/model/resolved.ts";
import { callOf } from "../contracts/adapter/call-of.ts";
import { fakePorts } from "../contracts/adapter/fake-ports.ts";
import { FakeJobs } from "../contracts/fake-jobs.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "run", language: "javascript" };
const CONTAINER: Implementation = { kind: "container", image: "team/thumb:1", command: ["thumb"] };
const TICKET = { id: "sy-00-job-1", url: "https://platform.test/jobs/sy-00-job-1", token: "the-ticket" };
const FULL = {
  namespace: "default",
  service_account: "worker",
  resources: { requests: { cpu: "500m", memory: "256Mi" }, limits: { cpu: "2", memory: "1Gi" } },
  node_selector: { "kubernetes.io/arch": "arm64" },
  image_pull_secrets: ["registry"],
  labels: { team: "pictures" },
};

const bodyOf = (implementation: Implementation, config: object) =>
  jobBody(
    callOf(implementation, { n: 1 }),
    v.parse(KubernetesJobConfigSchema, { api_server: "https://k8s.test", image: "registry.test/host:1", ...config }),
    { ticket: TICKET, image: "registry.test/host:1" },
  );

const setOf = (config: object, spec: Partial<StartOrder["spec"]> = {}) =>
  setObjects(
    {
      service: "album.web",
      replica: "r-1",
      revision: "one",
      count: 2,
      place: "",
      spec: {
        run: { container: { image: "registry.test/host:1", command: null } },
        port: null,
        variables: { MODE: "fast" },
        requires: {},
        stop_ms: 10_000,
        health: { ...HEALTH_DEFAULTS, path: "/health" },
        ...spec,
      },
    },
    v.parse(KubernetesJobConfigSchema, { api_server: "https://k8s.test", ...config }),
    { image: "registry.test/host:1", command: ["serve"], environment: "cluster" },
  );

type Model = new (data: unknown) => { validate(): void };

async function modelOf(group: string, kind: string): Promise<Model | undefined> {
  try {
    // A variable: the type checker need not find what may not be installed.
    const name = `kubernetes-models/${group}/${kind}`;
    return ((await import(name)) as Record<string, Model>)[kind];
  } catch {
    console.warn(`SKIPPED: kubernetes-models is not installed, so no schema of Kubernetes sees the body of a ${kind}`);
    return undefined;
  }
}

const Job = await modelOf("batch/v1", "Job");
const Deployment = await modelOf("apps/v1", "Deployment");
const Service = await modelOf("v1", "Service");
const Secret = await modelOf("v1", "Secret");

const validate = (body: unknown): void => {
  if (Job !== undefined) new Job(body).validate();
};

describe.skipIf(Job === undefined)("jobBody() in the schemas of kubernetes-models", () => {
  it.each([
    ["a module with the defaults", MODULE, {}],
    ["a module with all settings", MODULE, FULL],
    ["a container", CONTAINER, FULL],
  ])("is valid for %s", (_what, implementation, config) => {
    expect(() => validate(bodyOf(implementation, config))).not.toThrow();
  });

  it.each([
    ["a limit that is no number", { backoffLimit: "none" }],
    ["no template", { template: undefined }],
  ])("would not be with %s", (_what, spec) => {
    const body = bodyOf(MODULE, {});
    expect(() => validate({ ...body, spec: { ...body.spec, ...spec } })).toThrow();
  });
});

describe.skipIf(Deployment === undefined)("setObjects() in the schemas of kubernetes-models", () => {
  it.each([
    ["the defaults", {}, {}],
    ["all settings", FULL, { port: 3_000 }],
    ["no path for its health", {}, { health: HEALTH_DEFAULTS }],
  ])("is valid with %s", async (_what, config, spec) => {
    const { deployment, service, secret } = await setOf(config, spec);
    const pairs = [
      [Deployment, deployment],
      [Service, service],
      [Secret, secret],
    ] as const;
    for (const [Kind, body] of pairs) if (Kind !== undefined) expect(() => new Kind(body).validate()).not.toThrow();
  });

  it.each([
    ["a count that is no number", { replicas: "two" }],
    ["no selector", { selector: undefined }],
  ])("would not be with %s", async (_what, spec) => {
    const deployment = (await setOf({})).deployment as { spec: object };
    const body = { ...deployment, spec: { ...deployment.spec, ...spec } };
    expect(() => Deployment !== undefined && new Deployment(body).validate()).toThrow();
  });
});

const hasKubectl = spawnSync("kubectl", ["version", "--client"], { stdio: "ignore", timeout: 30_000 }).status === 0;
if (!hasKubectl) console.warn("SKIPPED: kubectl is not on this machine, so our API server meets no client but our own");

describe.skipIf(!hasKubectl)("kubectl on the API server of our tests", () => {
  let api: FakeApi;
  let home = "";
  beforeAll(async () => {
    api = await new FakeApi().open();
    home = await mkdtemp(path.join(tmpdir(), "kubectl-"));
  });
  afterAll(async () => {
    api.close();
    await rm(home, { recursive: true, force: true });
  });

  const kubectl = (words: string[], input = ""): Promise<{ code: number | null; out: string; err: string }> =>
    new Promise((resolve, reject) => {
      const child = spawn("kubectl", [`--server=${api.url}`, "--namespace=default", ...words], {
        env: { PATH: process.env["PATH"], HOME: home, KUBECONFIG: path.join(home, "none") },
        timeout: 30_000,
      });
      let out = "";
      let err = "";
      child.stdout.on("data", (piece: Buffer) => (out += piece.toString()));
      child.stderr.on("data", (piece: Buffer) => (err += piece.toString()));
      child.once("error", reject).once("close", (code) => resolve({ code, out, err }));
      child.stdin.end(input);
    });

  it("reads the Job that the adapter has made, and cannot make it again", async () => {
    const jobs = new FakeJobs();
    const adapter = kubernetesJobAdapter(fakePorts({ ...jobs.ports(), jobs }));
    jobs.at(1_000, () => (jobs.last.report = '{"ok":true,"logs":[]}\n7'));
    const environment = environmentOf("cluster", { config: { api_server: api.url, image: "registry.test/host:1" } });
    expect(await adapter.invoke(callOf(MODULE, {}, { environment, timeoutMs: 20_000 }))).toMatchObject({ ok: true });
    const { id, url } = jobs.last.ticket;

    const got = await kubectl(["get", "job", id, "-o", "json"]);
    expect(got.err).toBe("");
    expect(JSON.parse(got.out)).toMatchObject({ kind: "Job", metadata: { name: id }, spec: { backoffLimit: 0 } });
    expect(got.out).toContain(url);

    const body = JSON.stringify({ ...bodyOf(MODULE, {}), metadata: { name: id, namespace: "default" } });
    expect((await kubectl(["create", "--validate=false", "-f", "-"], body)).err).toContain("AlreadyExists");
  });

  // It reads the object into the API's own Go types and writes it again: what they do not know is gone then.
  const again = async (job: object): Promise<unknown> => {
    // It writes only what it changes.
    const other = JSON.stringify(job).replace("registry.test/host:1", "registry.test/host:0");
    const words = ["set", "image", "--local", "-f", "-", "work=registry.test/host:1", "-o", "json"];
    return JSON.parse((await kubectl(words, other)).out);
  };

  it.each([
    ["a module", MODULE, FULL],
    ["a container", CONTAINER, FULL],
  ])("knows every field of the body for %s", async (_what, implementation, config) => {
    const body = bodyOf(implementation, config);
    expect(await again(body)).toMatchObject(body);
    const odd = { ...body, spec: { ...body.spec, odd: true } };
    expect(await again(odd)).not.toMatchObject(odd);
  });

  it("knows every field of a set's objects", async () => {
    const { deployment } = await setOf(FULL);
    expect(await again(deployment)).toMatchObject(deployment);
    const odd = { ...deployment, spec: { ...(deployment as { spec: object }).spec, odd: true } };
    expect(await again(odd)).not.toMatchObject(odd);
  });

  it("applies, reads and deletes a set's objects itself", async () => {
    const workloads = (api.workloads = new FakeWorkloads());
    const { deployment, service, secret, names } = await setOf(FULL);
    const words = ["apply", "--server-side", "--field-manager=switchyard", "--force-conflicts", "--validate=false"];
    for (const body of [secret, service, deployment]) {
      expect(await kubectl([...words, "-f", "-"], JSON.stringify(body))).toMatchObject({ code: 0, err: "" });
    }
    expect(workloads.deployments.get(names.set)?.spec).toEqual((deployment as { spec: object }).spec);
    const got = await kubectl(["get", "deployment", names.set, "-o", "json"]);
    expect(JSON.parse(got.out)).toMatchObject({ status: { readyReplicas: 2 } });
    const gone = await kubectl(["delete", "deployment", names.set, "--cascade=foreground", "--wait=false"]);
    expect(gone).toMatchObject({ code: 0, out: expect.stringContaining("deleted") as string });
  });

  it("makes, reads and deletes the same Job itself", async () => {
    const body = { ...bodyOf(CONTAINER, FULL), metadata: { name: "by-kubectl", namespace: "default" } };
    const made = await kubectl(["create", "--validate=false", "-f", "-", "-o", "json"], JSON.stringify(body));
    expect(made.err).toBe("");
    expect(api.jobs.get("default/by-kubectl")?.spec).toEqual(body.spec);
    const gone = await kubectl(["delete", "job", "by-kubectl", "--wait=false"]);
    expect(gone).toMatchObject({ code: 0, out: expect.stringContaining("deleted") as string });
    expect((await kubectl(["get", "job", "by-kubectl"])).err).toContain("NotFound");
  });
});
