/**
 * For tests: a Kubernetes API server on loopback, as far as Jobs take one: discovery, jobs, their pods, access reviews; and with
 * `workloads` as far as services do. Its
 * conventions (Status objects, 201, resourceVersion) are checked against kubectl in test/counterparts/kubernetes.test.ts.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { FakeWorkloads } from "./_fake-workloads.node.ts";

export type Asked = {
  method: string;
  path: string;
  query: URLSearchParams;
  rawQuery: string;
  headers: IncomingMessage["headers"];
  body?: Json;
  /** Calls back when whoever asked has gone away before the answer. */
  onGivenUp?(listener: () => void): void;
};
// What is asked and answered is JSON, which the tests look into.
export type Json = Record<string, unknown>;
export type Answer = { status: number; body: unknown; headers?: Record<string, string> };
type StoredJob = { metadata: Json & { name: string; namespace: string }; spec: Json; status: Json };

export const FAKE_TOKEN = "the-token";

/** What `kubectl get` prints as an error. */
export function statusOf(code: number, reason: string, message: string, headers: Record<string, string> = {}): Answer {
  const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  return { status: code, body, headers };
}

const resource = (name: string, kind: string, verbs: string[]) => ({
  name,
  singularName: kind.toLowerCase(),
  namespaced: true,
  kind,
  verbs,
});

const group = (name: string) => {
  const version = { groupVersion: `${name}/v1`, version: "v1" };
  return { name, versions: [version], preferredVersion: version };
};

const list = (groupVersion: string, ...resources: Json[]) => ({
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion,
  resources,
});

export class FakeApi {
  readonly asked: Asked[] = [];
  readonly jobs = new Map<string, StoredJob>();
  readonly namespaces = new Set(["default"]);
  /** Verbs and resources that the token is denied, such as "delete jobs". */
  readonly denied = new Set<string>();
  /** In place of the next answers to such a request ("POST jobs", "GET pods"); Error: the connection is cut. */
  readonly answers: Record<string, (Answer | Error)[]> = {};
  /** Cuts the connection after the request was done, so many times. */
  losesAnswers = 0;
  wantsToken = false;
  jobStatus: Json = { active: 1 };
  podStatus: Json | undefined = { phase: "Running", containerStatuses: [{ name: "work", state: { running: {} } }] };
  onCreate: () => void = () => undefined;
  /** Asked before a job is made. */
  refusal: () => Answer | undefined = () => undefined;
  deleted = 0;
  created = 0;
  url = "";
  workloads: FakeWorkloads | undefined;
  /** Namespace → what is there, where it is not with all others. */
  readonly apart = new Map<string, FakeWorkloads>();
  readonly #server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => void this.#reply(request, { response, sent: Buffer.concat(pieces).toString() }));
  });
  #version = 100;

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  answer(what: string, ...answers: (Answer | Error)[]): void {
    this.answers[what] = answers;
  }

  /** "POST jobs, GET jobs, GET pods" */
  words(): string {
    return this.asked.map((asked) => wordsOf(asked)).join(", ");
  }

  async #reply(
    request: IncomingMessage,
    { response, sent }: { response: ServerResponse; sent: string },
  ): Promise<void> {
    const answer = await this.#answer(request, { response, text: sent });
    if (answer instanceof Error) return void response.destroy();
    const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers }).end(text);
  }

  #answer(
    request: IncomingMessage,
    { response, text }: { response: ServerResponse; text: string },
  ): Answer | Error | Promise<Answer | Error> {
    const { pathname, searchParams, search } = new URL(request.url ?? "/", "http://fake");
    const asked: Asked = {
      method: request.method ?? "GET",
      path: pathname,
      query: searchParams,
      rawQuery: search.slice(1),
      headers: request.headers,
      onGivenUp: (listener) => void response.once("close", listener),
    };
    if (text !== "" && !pathname.includes("/proxy/")) asked.body = JSON.parse(text) as Json;
    this.asked.push(asked);
    if (this.wantsToken && request.headers.authorization !== `Bearer ${FAKE_TOKEN}`) {
      return statusOf(401, "Unauthorized", "Unauthorized");
    }
    const next = this.answers[wordsOf(asked)]?.shift();
    if (next !== undefined) return next;
    const workloads = this.apart.get(/\/namespaces\/([^/]+)\//.exec(pathname)?.[1] ?? "") ?? this.workloads;
    const answer = workloads?.answer(asked, text) ?? this.#usual(asked);
    return this.losesAnswers-- > 0 ? new Error("lost") : answer;
  }

  #usual(asked: Asked): Answer {
    const { method, path, body = {} } = asked;
    const found = discovery(path);
    if (found !== undefined) return { status: 200, body: found };
    if (path.endsWith("/selfsubjectaccessreviews")) {
      const {
        verb,
        resource: name,
        subresource,
      } = (body["spec"] as { resourceAttributes: Record<string, string> }).resourceAttributes;
      const what = `${verb} ${name}${subresource === undefined ? "" : `/${subresource}`}`;
      return { status: 201, body: { ...body, status: { allowed: !this.denied.has(what) } } };
    }
    const [, namespace = "", kind = "", name] = /\/namespaces\/([^/]+)\/(jobs|pods)(?:\/([^/]+))?$/.exec(path) ?? [];
    const job = this.jobs.get(`${namespace}/${name}`);
    if (kind === "pods" && method === "GET") return { status: 200, body: this.#podsOf(asked, namespace) };
    if (kind === "jobs" && method === "POST") {
      return this.refusal() ?? this.#create(namespace, body as unknown as StoredJob);
    }
    if (kind === "jobs" && name !== undefined && job === undefined) {
      return statusOf(404, "NotFound", `jobs.batch "${name}" not found`);
    }
    if (kind === "jobs" && method === "GET" && job !== undefined) {
      return { status: 200, body: { ...job, status: this.jobStatus } };
    }
    if (kind === "jobs" && method === "DELETE") {
      this.jobs.delete(`${namespace}/${name}`);
      this.deleted += 1;
      return { status: 200, body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" } };
    }
    return statusOf(404, "NotFound", "the server could not find the requested resource");
  }

  #create(namespace: string, body: StoredJob): Answer {
    const { name } = body.metadata;
    if (!this.namespaces.has(namespace)) return statusOf(404, "NotFound", `namespaces "${namespace}" not found`);
    if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
      return statusOf(422, "Invalid", `Job.batch "${name}" is invalid: metadata.name: Invalid value`);
    }
    const key = `${namespace}/${name}`;
    if (this.jobs.has(key)) return statusOf(409, "AlreadyExists", `jobs.batch "${name}" already exists`);
    const metadata = {
      ...body.metadata,
      namespace,
      uid: `00000000-0000-0000-0000-${String(this.#version).padStart(12, "0")}`,
      resourceVersion: String(++this.#version),
      creationTimestamp: new Date(0).toISOString(),
    };
    const job = { ...body, metadata, status: {} };
    this.jobs.set(key, job);
    this.created += 1;
    this.onCreate();
    return { status: 201, body: job };
  }

  #podsOf({ query }: Asked, namespace: string): Json {
    const name = query.get("labelSelector")?.replace(/^job-name=/, "") ?? "";
    const isThere = this.podStatus !== undefined && this.jobs.has(`${namespace}/${name}`);
    const pod = { metadata: { name: `${name}-x`, namespace, labels: { "job-name": name } }, status: this.podStatus };
    return {
      kind: "PodList",
      apiVersion: "v1",
      metadata: { resourceVersion: String(this.#version) },
      items: isThere ? [pod] : [],
    };
  }
}

function wordsOf({ method, path }: Asked): string {
  const [, kind] = /\/namespaces\/[^/]+\/(jobs|pods|deployments|services|secrets)/.exec(path) ?? [];
  return `${method} ${kind ?? path}`;
}

function discovery(path: string): Json | undefined {
  switch (path) {
    case "/version":
      return { major: "1", minor: "32", gitVersion: "v1.32.4" };
    case "/api":
      return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
    case "/apis":
      return {
        kind: "APIGroupList",
        apiVersion: "v1",
        groups: [group("apps"), group("batch"), group("authorization.k8s.io")],
      };
    case "/api/v1":
      return list(
        "v1",
        resource("pods", "Pod", ["get", "list"]),
        resource("services", "Service", ["delete", "get", "list", "patch"]),
        resource("secrets", "Secret", ["delete", "deletecollection", "get", "list", "patch"]),
      );
    case "/apis/apps/v1":
      return list("apps/v1", resource("deployments", "Deployment", ["delete", "get", "list", "patch"]));
    case "/apis/batch/v1":
      return list("batch/v1", resource("jobs", "Job", ["create", "delete", "get"]));
    case "/apis/authorization.k8s.io/v1":
      return list("authorization.k8s.io/v1", {
        ...resource("selfsubjectaccessreviews", "SelfSubjectAccessReview", ["create"]),
        namespaced: false,
      });
    default:
      return undefined;
  }
}
