/** Services behind an address: how they are judged, and where they may be sent credentials. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openApp, type App } from "../../../test/contracts/service-host/app.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { HEALTH_DEFAULTS, type Run } from "../../model/services.ts";
import type { HttpPlace } from "./http-call.ts";
import { httpServices } from "./http-services.ts";

const ELSEWHERE = "http://127.0.0.1:1";
let app: App;
let nowMs = 0;
let slept: number[] = [];
let onSleep: () => void = () => undefined;
beforeEach(async () => {
  app = await openApp();
  nowMs = 0;
  slept = [];
  onSleep = () => undefined;
});
afterEach(() => app.close());

const clock = {
  now: () => nowMs,
  async sleep(ms: number) {
    slept.push(ms);
    nowMs += ms;
    onSleep();
  },
};
const environment = environmentOf("web");
const hostOf = (changes: Partial<HttpPlace> = {}) => {
  const place: HttpPlace = { name: "web", send: fetch, url: undefined, maxBytes: 1_000, ...changes };
  return httpServices(() => Promise.resolve(place), clock);
};
const health = (more: object = {}) => ({ ...HEALTH_DEFAULTS, path: "/health", ...more });
const start = (host: ReturnType<typeof hostOf>, run: Run | null, judged = health()) => {
  const spec = { run, port: null, variables: {}, requires: {}, stop_ms: 0, health: judged };
  return host.start({ service: "s", replica: "s-1", revision: "r", count: 1, spec, place: "" }, environment);
};
const authorize = () => Promise.resolve({ headers: { authorization: "Bearer t" } });

describe("httpServices().start()", () => {
  it("waits until it is healthy, and looks every second at the least", async () => {
    app.health = 503;
    onSleep = () => void (app.health = slept.length === 3 ? 204 : 503);
    expect(await start(hostOf(), { address: app.url })).toMatchObject({ status: "ready", address: app.url });
    expect(slept).toEqual([1_000, 1_000, 1_000]);
  });

  it("says what it answered when its time is over", async () => {
    app.health = 503;
    const report = await start(hostOf(), { address: app.url }, health({ start_ms: 2_500 }));
    expect(report).toMatchObject({
      status: "ended",
      ended: "it was not healthy within 2500 ms: GET /health answers status 503",
    });
    expect(slept).toEqual([1_000, 1_000, 500]);
  });

  it.each<[string, Run | null]>([
    ["nothing", null],
    ["a process", { process: { command: ["x"], working_directory: null } }],
    ["a container", { container: { image: "x", command: null } }],
  ])("refuses %s", async (_what, run) => {
    await expect(start(hostOf(), run)).rejects.toMatchObject({ code: "environment_misconfigured" });
  });

  it("refuses an address that the environment's credentials are not for", async () => {
    const host = hostOf({ url: ELSEWHERE, authorize });
    await expect(start(host, { address: app.url })).rejects.toMatchObject({ code: "environment_misconfigured" });
    const ref = { service: "s", replica: "s-1", place: "", address: app.url, via: "direct" as const };
    const request = { method: "GET", path: "/x", headers: {}, timeoutMs: 1_000, execution: "ex", attempt: 1 };
    expect(await host.send(ref, request, environment)).toMatchObject({ kind: "not_sent" });
    expect(app.seen).toEqual([]);
  });
});

const look = (replicas: { replica: string; address: string | null }[], more: object = {}) =>
  hostOf().observe(
    {
      service: "s",
      run: { address: app.url },
      health: health(),
      replicas: replicas.map((ref) => ({ service: "s", place: "", ...ref })),
      ...more,
    },
    environment,
  );

describe("httpServices().observe()", () => {
  it.each([
    [200, "ready"],
    [302, "ready"],
    [404, "unready"],
    [500, "unready"],
  ])("takes %i of its health for %s", async (status, expected) => {
    app.health = status;
    expect(await look([{ replica: "s-1", address: app.url }])).toMatchObject([{ replica: "s-1", status: expected }]);
  });

  it("takes any answer for health where no path is named, and none for its absence", async () => {
    app.health = 500;
    const by = { health: { ...HEALTH_DEFAULTS, path: null } };
    expect(await look([{ replica: "s-1", address: app.url }], by)).toMatchObject([{ status: "ready" }]);
    app.close();
    expect(await look([{ replica: "s-1", address: app.url }], by)).toMatchObject([
      { status: "unready", lines: [expect.stringContaining("ECONNREFUSED") as string] },
    ]);
  });

  it("knows the one at the address though nobody names it", async () => {
    expect(await look([])).toMatchObject([{ replica: "address", status: "ready", address: app.url }]);
  });

  it("looks at what a team's operations have started where each is said to be", async () => {
    const replicas = [
      { replica: "s-1", address: app.url },
      { replica: "s-2", address: ELSEWHERE },
      { replica: "s-3", address: null },
    ];
    const seen = await look(replicas, { run: null });
    expect(seen.map(({ replica, status }) => `${replica} ${status}`)).toEqual(["s-1 ready", "s-2 unready"]);
  });
});
