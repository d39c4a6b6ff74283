/** A worker with nothing but pools of runners, for tests of the runner's own end: orders come by HTTP. Services note what they are told. */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import type { PoolOrder } from "../../src/model/runner-protocol.ts";
import type { RunnerPool } from "../../src/runners/runner-pool.ts";

export { RunnerPool } from "../../src/runners/runner-pool.ts";

type Bindings = { RUNNERS: DurableObjectNamespace<RunnerPool>; SERVICES: DurableObjectNamespace<ServiceNotes> };

/** In place of the real one, which asks the registry first. */
export class ServiceRunner extends WorkerEntrypoint<Bindings> {
  async reported(service: string, report: string): Promise<void> {
    await this.env.SERVICES.getByName(service).reported(report);
  }
}

export class ServiceNotes extends DurableObject {
  readonly #told: unknown[] = [];

  // oxlint-disable-next-line require-await -- a remote call answers a promise
  async reported(text: string): Promise<void> {
    this.#told.push(JSON.parse(text));
  }

  // oxlint-disable-next-line require-await -- a remote call answers a promise
  async told(): Promise<string> {
    return JSON.stringify(this.#told);
  }
}

const TOKEN = "sy_test_token";

export default {
  async fetch(request, { RUNNERS, SERVICES }) {
    const [, , environment = "", action] = new URL(request.url).pathname.split("/");
    const pool = RUNNERS.getByName(environment);
    if (action === "connect") {
      if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) {
        return Response.json({ code: "token_unknown", detail: "Cannot find the token" }, { status: 401 });
      }
      if (request.headers.get("upgrade") !== "websocket") return Response.json({}, { status: 426 });
      return pool.fetch(request);
    }
    if (action === "run") return Response.json(await pool.run(await request.json<PoolOrder>()));
    if (action === "cancel") return Response.json((await pool.cancel(await request.text())) ?? null);
    if (action === "told") return new Response(await SERVICES.getByName(await request.text()).told());
    return Response.json(await pool.status());
  },
} satisfies ExportedHandler<Bindings>;
