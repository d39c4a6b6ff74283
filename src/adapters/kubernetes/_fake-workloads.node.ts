/**
 * For tests: what an API server and its controllers make of Deployments, Services, Secrets and the proxy, as far as sets of services
 * take it. Pods become ready at once, or as `pod` says; a new revision that does not leaves those before it in their place.
 */
import { request as open } from "node:http";
import { statusOf, type Answer, type Asked, type Json } from "./_fake-api.node.ts";

type Stored = Json & { metadata: Json & { name: string; labels: Record<string, string>; annotations: Json } };
type Deployment = Stored & { spec: { replicas: number; template: { metadata: { annotations: Json } } } };
/** Of the pods that serve. */
type Serving = { count: number; annotations: Json };

export class FakeWorkloads {
  readonly deployments = new Map<string, Deployment>();
  readonly services = new Map<string, Stored>();
  readonly secrets = new Map<string, Stored & { data: Record<string, string> }>();
  /** How pods that are not ready are; undefined: all are ready. */
  pod: Json | undefined;
  /** Of the Deployment, while pods are not ready. */
  conditions: Json[] = [];
  /** What pods have written; undefined: nobody may read it. */
  log: string | undefined;
  /** Looks at a Deployment that is being deleted until it is gone. */
  lingers = 1;
  /** Where pods listen. */
  upstream = "";
  readonly #serving = new Map<string, Serving>();
  readonly #leaving = new Map<string, number>();
  #generation = 0;

  /** undefined: it is about something else. */
  answer(asked: Asked, text: string): Answer | Error | Promise<Answer | Error> | undefined {
    const found =
      /\/namespaces\/([^/]+)\/(deployments|services|secrets|pods)(?:\/([^/]+))?(?:\/(proxy|log)(.*))?$/.exec(
        asked.path,
      );
    if (found === null) return undefined;
    const [, , kind, name, sub, rest = ""] = found;
    if (kind === "services" && sub === "proxy") return this.#proxy(name ?? "", { asked, text, rest });
    if (kind === "pods") return this.#pods(asked, { sub });
    const all = kind === "deployments" ? this.deployments : kind === "services" ? this.services : this.secrets;
    if (asked.method === "PATCH" && name !== undefined) return this.#apply(all, { asked, kind, name });
    if (name === undefined) return this.#collection(all, asked);
    if (!all.has(name)) return statusOf(404, "NotFound", `${kind} "${name}" not found`);
    if (asked.method === "GET") return kind === "deployments" ? this.#look(name) : { status: 200, body: all.get(name) };
    if (kind === "deployments") this.#leaving.set(name, this.lingers);
    else all.delete(name);
    return {
      status: 200,
      body: kind === "deployments" ? this.#withStatus(name) : { kind: "Status", status: "Success" },
    };
  }

  #apply(
    all: Map<string, Stored>,
    { asked, kind, name }: { asked: Asked; kind: string | undefined; name: string },
  ): Answer {
    if (asked.headers["content-type"] !== "application/apply-patch+yaml") {
      return statusOf(415, "UnsupportedMediaType", "the body of the request was in an unknown format");
    }
    if (!asked.query.has("fieldManager")) {
      return statusOf(400, "BadRequest", "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value");
    }
    const body = asked.body as Stored | undefined;
    if (body?.metadata.name !== name)
      return statusOf(400, "BadRequest", "the name of the object does not match the URL");
    if (this.#leaving.has(name)) return statusOf(409, "Conflict", "object is being deleted");
    const isNew = !all.has(name);
    all.set(name, { ...body, metadata: { ...body.metadata, generation: (this.#generation += 1) } });
    if (kind === "deployments") this.#roll(name);
    return { status: isNew ? 201 : 200, body: all.get(name) };
  }

  #roll(name: string): void {
    const deployment = this.deployments.get(name);
    if (deployment === undefined || this.pod !== undefined) return;
    const { replicas, template } = deployment.spec;
    this.#serving.set(name, { count: replicas, annotations: template.metadata.annotations });
  }

  #look(name: string): Answer {
    const left = this.#leaving.get(name);
    if (left === 0) {
      this.deployments.delete(name);
      this.#leaving.delete(name);
      this.#serving.delete(name);
      return statusOf(404, "NotFound", `deployments.apps "${name}" not found`);
    }
    if (left !== undefined) this.#leaving.set(name, left - 1);
    return { status: 200, body: this.#withStatus(name) };
  }

  #withStatus(name: string): Json {
    const deployment = this.deployments.get(name) as Deployment;
    this.#roll(name);
    const { metadata, spec } = deployment;
    const serving = this.#serving.get(name);
    const { annotations } = spec.template.metadata;
    const isNewest = JSON.stringify(serving?.annotations) === JSON.stringify(annotations);
    const ready = serving?.count ?? 0;
    const isDone = isNewest && ready === spec.replicas;
    const settled = { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" };
    const leaving = this.#leaving.has(name) ? { deletionTimestamp: new Date(0).toISOString() } : {};
    return {
      ...deployment,
      metadata: { ...metadata, ...leaving },
      status: {
        observedGeneration: metadata["generation"],
        replicas: isDone ? ready : ready + 1,
        updatedReplicas: isDone ? ready : 1,
        readyReplicas: ready,
        conditions: isDone ? [settled] : this.conditions,
      },
    };
  }

  #collection(all: Map<string, Stored>, { method, query }: Asked): Answer {
    const wanted = (query.get("labelSelector") ?? "").split(",").map((part) => part.split(/(!?=)/));
    const chosen = [...all.values()].filter(({ metadata: { labels } }) =>
      wanted.every(([key = "", how, value]) => (labels[key] === value) === (how === "=")),
    );
    if (method === "DELETE") for (const { metadata } of chosen) all.delete(metadata.name);
    const items =
      all === (this.deployments as unknown) ? chosen.map(({ metadata }) => this.#withStatus(metadata.name)) : chosen;
    return { status: 200, body: { kind: "List", apiVersion: "v1", items } };
  }

  #pods({ query }: Asked, { sub }: { sub: string | undefined }): Answer | undefined {
    if (sub === "log") {
      if (this.log === undefined) return statusOf(403, "Forbidden", "pods/log is forbidden");
      return { status: 200, body: this.log, headers: { "content-type": "text/plain" } };
    }
    const set = /^switchyard\/set=(.*)$/.exec(query.get("labelSelector") ?? "")?.[1];
    if (set === undefined) return undefined;
    const serving = this.#serving.get(set);
    const ready = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
    const running = { containerStatuses: [{ name: "work", restartCount: 0, state: { running: {} } }] };
    const serves = Array.from({ length: serving?.count ?? 0 }, (_, index) => ({
      metadata: { name: `${set}-${index}`, annotations: serving?.annotations },
      status: { ...ready, ...running },
    }));
    const annotations = this.deployments.get(set)?.spec.template.metadata.annotations;
    const comes =
      this.pod === undefined || annotations === undefined
        ? []
        : [{ metadata: { name: `${set}-new`, annotations }, status: this.pod }];
    return { status: 200, body: { kind: "PodList", apiVersion: "v1", items: [...serves, ...comes] } };
  }

  async #proxy(
    words: string,
    { asked, text, rest }: { asked: Asked; text: string; rest: string },
  ): Promise<Answer | Error> {
    const [name = "", port] = words.split(":");
    if (!this.services.has(name)) return statusOf(404, "NotFound", `services "${name}" not found`);
    if (port !== "http" || !this.#serving.has(name)) {
      return statusOf(503, "ServiceUnavailable", `no endpoints available for service "${words}"`);
    }
    const search = asked.query.size === 0 ? "" : `?${asked.rawQuery}`;
    // Its own credentials end at the API server.
    const { authorization: _, host: _host, ...headers } = asked.headers;
    return new Promise((resolve) => {
      const failed = (why: string) =>
        resolve(statusOf(503, "ServiceUnavailable", `error trying to reach service: ${why}`));
      const sent = open(
        `${this.upstream}${rest}${search}`,
        { method: asked.method, headers, agent: false },
        (answer) => {
          const pieces: Buffer[] = [];
          answer.on("data", (piece: Buffer) => pieces.push(piece));
          answer.on("end", () => {
            const given = Object.entries(answer.headers).map(([key, value]): [string, string] => [key, String(value)]);
            resolve({
              status: answer.statusCode ?? 0,
              headers: Object.fromEntries(given),
              body: Buffer.concat(pieces).toString(),
            });
          });
        },
      );
      asked.onGivenUp?.(() => sent.destroy());
      sent.on("error", (error: Error & { code?: string }) =>
        failed(error.code === "ECONNREFUSED" ? "dial tcp 10.1.0.7:8080: connect: connection refused" : "EOF"),
      );
      sent.end(text);
    });
  }
}
