/**
 * A worker that enters services as the platform does, each request in a context of its own, before objects that the tests direct. The
 * clock is the real one: what is tested is what the runtime does to requests that wait for each other.
 */
import { DurableObject, waitUntil } from "cloudflare:workers";
import { environmentOf } from "../../src/model/_environment.test-util.ts";
import { ExposureSchema } from "../../src/model/services.ts";
import * as v from "valibot";
import { createDoors } from "../../src/services/doors.ts";
import { LEASE_TTL_MS, type AcquireAnswer, type AcquireOrder, type HolderReport } from "../../src/services/messages.ts";
import type { Direction, Told } from "./_doors-told.ts";
import type { ServicesPort } from "../../src/adapters/service/port.ts";

export class ServiceObject extends DurableObject {
  #direction: Direction = {};
  #startedAt: number | undefined;
  readonly #told: Told = { acquired: [], reports: [] };

  direct(direction: Direction): void {
    this.#direction = direction;
  }

  told(): Told {
    return this.#told;
  }

  async acquire(text: string): Promise<string> {
    const order = JSON.parse(text) as AcquireOrder;
    const { startMs = 0, lost = 0 } = this.#direction;
    this.#told.acquired.push({ ...order, at: Date.now() });
    if (this.#told.acquired.length <= lost) await scheduler.wait(60_000);
    this.#startedAt ??= Date.now();
    const readyInMs = this.#startedAt + startMs - Date.now();
    await scheduler.wait(Math.max(0, Math.min(order.waitMs, readyInMs)));
    const service = this.ctx.id.name ?? "";
    const answer: AcquireAnswer =
      readyInMs > order.waitMs
        ? { kind: "warming", reason: "r1 is starting", elsewhere: 0 }
        : {
            kind: "lease",
            ttlMs: LEASE_TTL_MS,
            replicas: [
              { service, replica: "r1", place: "desk", address: null, environment: "rack", environmentRevision: 1 },
            ],
          };
    return JSON.stringify(answer);
  }

  report(text: string): void {
    this.#told.reports.push({ ...(JSON.parse(text) as HolderReport), at: Date.now() });
  }
}

type Bindings = { SERVICES: DurableObjectNamespace<ServiceObject> };

let doors: ServicesPort | undefined;

/**
 * GET /SERVICE?wait=MS&hold=MS: waits for a replica at most so long, and keeps it so long. POST /SERVICE directs its object, OPTIONS
 * tells what that was told.
 */
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const service = pathname.slice(1);
    const object = env.SERVICES.getByName(service);
    if (request.method === "POST") return Response.json((await object.direct(await request.json<Direction>())) ?? null);
    if (request.method === "OPTIONS") return Response.json(await object.told());
    doors ??= createDoors({
      exposure: async (name) => v.parse(ExposureSchema, { name, service: name }),
      service: async () => ({ max_waiting: 10_000 }),
      environment: async () => environmentOf("rack"),
      object: (name) => env.SERVICES.getByName(name),
      now: Date.now,
      later(ms, work) {
        const timer = setTimeout(work, ms);
        return () => clearTimeout(timer);
      },
      background: waitUntil,
    });
    const waitMs = Number(searchParams.get("wait") ?? 20_000);
    const entered = await doors.enter(service, { waitMs, avoid: new Set() });
    if (!entered.ok) return Response.json(entered.error, { status: 503 });
    const holdMs = Number(searchParams.get("hold") ?? 0);
    if (holdMs > 0) await scheduler.wait(holdMs);
    entered.leave("answered");
    return Response.json(entered.replica);
  },
} satisfies ExportedHandler<Bindings>;
