/**
 * What every place that runs services keeps true: each step may be asked for again, what is not there is gone, what was not sent is
 * said to be so, and credentials go nowhere else. Each host's test builds a place that can be told how to behave; what a place
 * cannot do it names, and the reason is printed with the skip.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EnvironmentHandle } from "../../../src/adapters/adapter.ts";
import type { Exchanged } from "../../../src/adapters/http/exchange.ts";
import type { ReplicaRef, ServiceHost, ServiceRequest, StartOrder } from "../../../src/adapters/service-host.ts";
import { Cancellation } from "../../../src/core/cancellation.ts";
import type { ReplicaReport } from "../../../src/model/services.ts";
import type { App } from "./app.ts";

export type ServicePlace = {
  host: ServiceHost;
  environment: EnvironmentHandle;
  /** What runs; its health is at /health. */
  spec: StartOrder["spec"];
  /** What requests reach. */
  app: App;
  /** From now on nothing that is started becomes healthy. */
  breakApp(): void;
  /** From now on the place takes no credentials. */
  refuse(): void;
  /** From now on the place does not answer. */
  vanish(): void;
  /** How many replicas, or sets, are there in the place; left out where it starts none. */
  running?(): number;
  /** Where requests go; "direct" unless it is said. */
  via?: "direct" | "environment";
  /** Values that must be in no report, no error and no answer, and that the service must not be sent unless it may have them. */
  secrets: readonly string[];
  close(): Promise<void>;
};

/** Sentences that say why, in skips. */
export type ServiceCannot = Partial<Record<"stop" | "list" | "refuse" | "vanish" | "scale" | "credentials", string>>;

const SHORT_MS = 150;
const SERVICE = "album.web";
const REPLICA = "album-web-00f3";

const refOf = ({ service, replica, place: where, address }: ReplicaReport): ReplicaRef => ({
  service,
  replica,
  place: where,
  address,
});

const told = (what: unknown): string => `${JSON.stringify(what)} ${what instanceof Error ? what.message : ""}`;

export function describeServiceHost(
  name: string,
  setUp: () => Promise<ServicePlace>,
  cannot: ServiceCannot = {},
): void {
  const itWhen = (need: keyof ServiceCannot, title: string, test: () => Promise<void>): void => {
    const reason = cannot[need];
    if (reason === undefined) it(title, test);
    else it.skip(`${title} (SKIPPED: ${reason})`, () => undefined);
  };

  describe(`the contract of hosts of services on ${name}`, () => {
    let place: ServicePlace;
    beforeEach(async () => {
      place = await setUp();
    });
    afterEach(() => place.close());

    const start = async (changes: Partial<StartOrder> = {}): Promise<ReplicaReport> => {
      const { host, environment, spec } = place;
      const order = { service: SERVICE, replica: REPLICA, revision: "r1", count: 1, spec, place: "", ...changes };
      const chosen = (await host.place?.(order, environment)) ?? "";
      return host.start({ ...order, place: chosen }, environment);
    };
    const stop = (ref: ReplicaRef) => place.host.stop({ ...ref, graceMs: 100 }, place.environment);
    const observe = (replicas: readonly ReplicaRef[] = []) => {
      const { run, health } = place.spec;
      return place.host.observe({ service: SERVICE, run, health, replicas }, place.environment);
    };
    const send = (to: ReplicaRef, request: Partial<ServiceRequest> = {}): Promise<Exchanged> => {
      const asked = {
        method: "GET",
        path: "/",
        headers: {},
        timeoutMs: 5_000,
        execution: "ex_1",
        attempt: 1,
        ...request,
      };
      return place.host.send({ ...to, via: place.via ?? "direct" }, asked, place.environment);
    };
    const expectRunning = (count: number): void => {
      if (place.running !== undefined) expect(place.running()).toBe(count);
    };
    const keepsSecrets = (what: unknown): void => {
      for (const secret of place.secrets) expect(told(what)).not.toContain(secret);
    };
    const failureOf = async (work: Promise<unknown>): Promise<unknown> => {
      const thrown = await work.then(
        (came) => expect.fail(`it should have failed; it came to ${JSON.stringify(came)}`),
        (reason: unknown) => reason,
      );
      keepsSecrets(thrown);
      return thrown;
    };

    it("starts it, and says where it is once it is ready", async () => {
      const report = await start();
      expect(report).toMatchObject({
        replica: REPLICA,
        service: SERVICE,
        revision: "r1",
        status: "ready",
        count: 1,
        ready: 1,
        ended: null,
      });
      expectRunning(1);
      keepsSecrets(report);
    });

    it("starts it once, however often and however closely it is asked for", async () => {
      const [one, other] = await Promise.all([start(), start()]);
      expect(await start()).toMatchObject({ replica: REPLICA, status: "ready" });
      expect([one.status, other.status]).toEqual(["ready", "ready"]);
      expectRunning(1);
    });

    it("tells of it when it is looked at", async () => {
      const report = await start();
      const seen = await observe([refOf(report)]);
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({ replica: REPLICA, service: SERVICE, status: "ready", address: report.address });
      keepsSecrets(seen);
    });

    itWhen("list", "tells of all that it has when it is given no names", async () => {
      expect(await observe()).toEqual([]);
      await start();
      await start({ replica: "album-web-00f4" });
      const names = (await observe()).map(({ replica }) => replica).toSorted();
      expect(names).toEqual([REPLICA, "album-web-00f4"]);
    });

    itWhen("scale", "gives a set another count, and another revision, in its place", async () => {
      await start();
      expect(await start({ count: 3 })).toMatchObject({ revision: "r1", status: "ready", count: 3, ready: 3 });
      const rolled = await start({ count: 2, revision: "r2" });
      expect(rolled).toMatchObject({ revision: "r2", status: "ready", count: 2, ready: 2 });
      expect(await observe([refOf(rolled)])).toMatchObject([{ revision: "r2", count: 2 }]);
      expectRunning(1);
    });

    itWhen("stop", "stops it, and once more", async () => {
      const ref = refOf(await start());
      await stop(ref);
      expectRunning(0);
      await stop(ref);
      const after = await observe([ref]);
      expect(after.filter(({ status }) => status !== "ended")).toEqual([]);
    });

    it("takes what is not there for stopped", async () => {
      await stop({ service: SERVICE, replica: "album-web-none", place: "", address: null });
    });

    it("ends with the reason when it is never healthy, and leaves nothing behind", async () => {
      place.breakApp();
      const report = await start({ spec: { ...place.spec, health: { ...place.spec.health, start_ms: SHORT_MS } } });
      expect(report).toMatchObject({ replica: REPLICA, status: "ended", ready: 0 });
      expect(report.ended ?? "").not.toBe("");
      keepsSecrets(report);
      expectRunning(0);
    });

    itWhen("refuse", "says that the place refuses its credentials, and keeps them to itself", async () => {
      place.refuse();
      expect(await failureOf(start())).toMatchObject({ code: "environment_refused" });
      expectRunning(0);
    });

    itWhen("vanish", "says that the place does not answer, so that it is asked again", async () => {
      const ref = refOf(await start());
      place.vanish();
      expect(await failureOf(start())).toMatchObject({ code: "environment_unavailable" });
      expect(await failureOf(observe([ref]))).toMatchObject({ code: "environment_unavailable" });
      expect(await failureOf(stop(ref))).toMatchObject({ code: "environment_unavailable" });
    });

    it("carries a GET with its query, and what is answered", async () => {
      const came = await send(refOf(await start()), { path: "/albums?title=a%2Fb&title=c" });
      expect(came).toMatchObject({ kind: "answer", status: 200 });
      if (came.kind !== "answer") return;
      expect(JSON.parse(came.text)).toEqual({ method: "GET", url: "/albums?title=a%2Fb&title=c", body: "" });
      expect(came.headers.get("x-app")).toBe("1");
    });

    it("carries a POST with its headers and its body, once", async () => {
      const body = JSON.stringify({ text: 'ä\n"\u2028' });
      const headers = { "content-type": "application/json", "Idempotency-Key": "ex_1" };
      expect(await send(refOf(await start()), { method: "POST", path: "/albums", headers, body })).toMatchObject({
        kind: "answer",
        status: 200,
      });
      expect(place.app.seen).toMatchObject([
        { method: "POST", url: "/albums", body, headers: { "idempotency-key": "ex_1" } },
      ]);
    });

    it.each([204, 302, 403, 404, 429, 500, 503])("hands on status %i as the service's answer", async (status) => {
      expect(await send(refOf(await start()), { path: `/status/${status}` })).toMatchObject({ kind: "answer", status });
    });

    it("says that a request broke off, and does not send it again", async () => {
      const ref = refOf(await start());
      expect(await send(ref, { path: "/break" })).toMatchObject({ kind: "broken_off" });
      expect(place.app.seen).toHaveLength(1);
    });

    it("gives a request up at its time, and at a cancellation", async () => {
      const ref = refOf(await start());
      expect(await send(ref, { path: "/hang", timeoutMs: SHORT_MS })).toMatchObject({ kind: "broken_off" });
      const cancellation = new Cancellation();
      const sending = send(ref, { path: "/hang", timeoutMs: 30_000, cancellation });
      await expect.poll(() => place.app.seen.length).toBe(2);
      cancellation.request();
      expect(await sending).toMatchObject({ kind: "broken_off" });
      await expect.poll(() => place.app.givenUp).toBe(2);
      expect(await send(ref, { path: "/", cancellation })).toMatchObject({ kind: "not_sent" });
      expect(place.app.seen).toHaveLength(2);
    });

    it("says that nothing was sent to one that is gone", async () => {
      const ref = refOf(await start());
      if (cannot.stop === undefined) await stop(ref);
      place.app.close();
      expect(await send(ref, { method: "POST", path: "/x", body: "{}" })).toMatchObject({ kind: "not_sent" });
    });

    it.each([
      "/../../../secrets",
      "/a/%2e%2e/%2E%2e/%2e%2e/%2e./x",
      "/..\\..\\..\\x",
      "@elsewhere.invalid/",
      "elsewhere",
    ])("does not let the path %s lead elsewhere", async (path) => {
      const came = await send(refOf(await start()), { path });
      keepsSecrets(came);
      // Under a bare origin all of it is the service's own, as every client reads it.
      if (came.kind === "answer") expect(place.app.seen).toHaveLength(1);
      else expect(came.kind).toBe("not_sent");
    });

    itWhen("credentials", "does not give the place's credentials to the service", async () => {
      await send(refOf(await start()), { path: "/albums" });
      for (const secret of place.secrets) expect(JSON.stringify(place.app.seen)).not.toContain(secret);
    });
  });
}
