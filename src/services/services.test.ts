import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { ServiceHost } from "../adapters/service-host.ts";
import { ExposureSchema, ServiceSchema, type ReplicaReport } from "../model/services.ts";
import type { TriggerHandle } from "../model/triggers.ts";
import type { LeasedReplica } from "./messages.ts";
import { createServices, type ServicesOptions } from "./services.ts";

const REPORT: ReplicaReport = {
  replica: "r-1",
  service: "albums",
  revision: "v",
  place: "desk",
  status: "ready",
  address: "http://10.0.0.5:80",
  cpu: null,
  count: 1,
  ready: 1,
  ended: null,
  lines: [],
};
const REF = { service: "albums", replica: "r-1", place: "desk", address: null };
const STEP = { service: "albums", replica: "r-1", revision: "v", count: 1, place: "", environment: "" };

const AT = { ...REF, environment: "rack", environmentRevision: 3 };

const machine = (initial: number) => ({ initial: "a", states: { a: { replicas: initial } } });

function world(
  fields: object = {},
  {
    isWanted = true,
    host = {},
    known = [{ ...AT, address: "http://10.0.0.5:80" }],
  }: { isWanted?: boolean; host?: Partial<ServiceHost>; known?: LeasedReplica[] } = {},
) {
  const log: string[] = [];
  const asked: string[] = [];
  const row = {
    ...v.parse(ServiceSchema, {
      name: "albums",
      environment: "rack",
      run: { process: { command: ["serve"] } },
      ...fields,
    }),
    digest: "d",
    revision: 1,
    updated_at: "",
  } as TriggerHandle<"service">;
  const other = { ...row, name: "other", environment: "elsewhere", state_machine: "always_on" };
  const services: ServiceHost = {
    unit: "replica",
    runs: ["process"],
    place: async () => "desk",
    start: async ({ place, spec }, { name, digest }) => {
      log.push(`start ${place} in ${name}${digest} with ${JSON.stringify(spec.variables)}`);
      return REPORT;
    },
    stop: async ({ replica, place, graceMs }, { name, digest }) =>
      void log.push(`stop ${replica} ${place} ${graceMs} in ${name}${digest}`),
    observe: async () => [],
    send: async () => ({ kind: "too_large" }),
    ...host,
  };
  const object = (name: string) => {
    asked.push(name);
    return objectOf(name);
  };
  const objectOf = (name: string) => ({
    placed: async (replica: string, { environment, place }: { environment: string; place: string }) => {
      log.push(`placed ${replica} ${place} in ${environment}`);
      return isWanted;
    },
    whereabouts: async (environment: string, replicas: string[]) =>
      known.filter((each) => each.environment === environment && replicas.includes(each.replica)),
    changed: async () => void log.push(`changed ${name}`),
    command: async () => JSON.stringify({ error: { code: "command_refused", detail: "no" } }),
    status: async () =>
      JSON.stringify({
        name,
        replicas: [{ ...REPORT, phase: "ready" }],
        environments: { "r-1": { name: "rack", revision: 3 } },
      }),
  });
  const options = {
    object,
    registry: {
      triggers: async () => [row, other],
      exposures: async () => [
        v.parse(ExposureSchema, { name: "web", service: "albums", base_path: "/api" }),
        v.parse(ExposureSchema, { name: "not_ours", service: "other" }),
      ],
      environment: async (name: string, revision?: number) =>
        name === "gone" ? undefined : { name, adapter: "runner", digest: revision === undefined ? "" : `@${revision}` },
      serviceSecrets: async () => ({ KEY: "opened" }),
      stateMachine: async (name: string) => machine(name === "always_on" ? 1 : 0),
    },
    host: () => services,
  };
  return { services: createServices(options as unknown as ServicesOptions), row, log, asked };
}

describe("start()", () => {
  test("opens secrets, chooses a place and has it written down before anything starts there", async () => {
    const { services, row, log } = world({ variables: { MODE: "fast" } });
    expect(await services.start(row, STEP)).toEqual(REPORT);
    expect(log).toEqual(["placed r-1 desk in rack", 'start desk in rack@3 with {"MODE":"fast","KEY":"opened"}']);
  });

  test("goes where it is already", async () => {
    const { services, row, log } = world();
    await services.start(row, { ...STEP, place: "attic", environment: "before" });
    expect(log).toEqual(["placed r-1 attic in before", 'start attic in before with {"KEY":"opened"}']);
  });

  test("is refused for what its controller does not want", async () => {
    const { services, row, log } = world({}, { isWanted: false });
    await expect(services.start(row, STEP)).rejects.toMatchObject({ code: "command_refused" });
    expect(log).toEqual(["placed r-1 desk in rack"]);
  });

  test("says that an environment is gone", async () => {
    const { services, row } = world();
    await expect(services.start(row, { ...STEP, environment: "gone" })).rejects.toMatchObject({
      code: "environment_misconfigured",
    });
  });
});

test("stop() gives it its time, where it was started, whatever the row runs by now", async () => {
  const { services, row, log } = world({ stop_ms: 5 });
  await services.stop(row, { ...STEP, place: "desk", address: null, environment: "rack" });
  await services.stop(row, { ...STEP, place: "desk", address: null, environment: "before" });
  const already = world({ run: { address: "http://10.0.0.1" } });
  await already.services.stop(already.row, { ...STEP, place: "", address: null });
  expect(log).toEqual(["stop r-1 desk 5 in rack@3", "stop r-1 desk 5 in before"]);
  expect(already.log).toEqual(["stop r-1  10000 in rack@3"]);
});

test("stopGone() stops one whose row is gone where it was started", async () => {
  const { services, row, log } = world({ stop_ms: 5 });
  const step = { service: "albums", environment: "rack", replica: "r-1", place: "desk", address: null };
  await services.stopGone({ do: "stop", ...step, row });
  expect(log).toEqual(["stop r-1 desk 5 in rack@3"]);
});

test("stopGone() asks no controller of a stray: that would make an object of a name that never was a service's", async () => {
  const { services, row, log, asked } = world({ stop_ms: 5 });
  const step = { service: "made_up", environment: "rack", replica: "r-1", place: "desk", address: null };
  await services.stopGone({ do: "stop", ...step, row: { ...row, name: "made_up" }, isStray: true });
  expect(log).toEqual(["stop r-1 desk 5 in rack"]);
  expect(asked).toEqual([]);
});

test("observe() looks where the controller knows a replica to be, whatever address is given", async () => {
  const asked: unknown[] = [];
  const observe: ServiceHost["observe"] = async ({ replicas }) => {
    asked.push(replicas);
    return [];
  };
  const { services, row } = world({}, { host: { observe } });
  const made = { ...REF, address: "http://169.254.169.254" };
  await services.observe(row, { service: "albums", replicas: [made, { ...made, replica: "r-2" }], environment: "" });
  expect(asked).toEqual([[{ ...REF, address: "http://10.0.0.5:80" }]]);
  await services.observe(row, { service: "albums", replicas: [made], environment: "lan" });
  await services.observe(row, { service: "albums", replicas: [], environment: "lan" });
  expect(asked).toHaveLength(1);
});

test("observe() looks at each where it was started", async () => {
  const asked: string[] = [];
  const observe: ServiceHost["observe"] = async ({ replicas }, { name, digest }) => {
    asked.push(`${replicas.map(({ replica }) => replica).join(" ")} in ${name}${digest}`);
    return [];
  };
  const known = [AT, { ...AT, replica: "r-2", environmentRevision: 4 }, { ...AT, replica: "r-3" }];
  const { services, row } = world({}, { host: { observe }, known });
  const replicas = [REF, { ...REF, replica: "r-2" }, { ...REF, replica: "r-3" }];
  await services.observe(row, { service: "albums", replicas, environment: "" });
  await services.observe(row, { service: "albums", replicas: [], environment: "" });
  expect(asked).toEqual(["r-1 r-3 in rack@3", "r-2 in rack@4", " in rack"]);
});

test("status() says how requests reach it through each of its exposures", async () => {
  const { services, row } = world();
  const { exposures, ...status } = await services.status(row);
  expect(status).not.toHaveProperty("environments");
  expect(exposures).toEqual([
    {
      name: "web",
      protocol: "http",
      base_path: "/api",
      via: "auto",
      ways: ['r-1: directly, http://10.0.0.5:80/api; or through the environment "rack" on desk'],
    },
  ]);
});

test("status() says of no address that requests go there where nothing may be sent to it", async () => {
  const asked: unknown[] = [];
  const mayReach: ServiceHost["mayReach"] = (address, { digest }) => {
    asked.push(digest);
    return !address.startsWith("http://10.");
  };
  const { services, row } = world({}, { host: { mayReach } });
  const { exposures, replicas } = await services.status(row);
  // As requests are sent: by what it was started by.
  expect(asked).toEqual(["@3"]);
  expect(exposures[0]?.ways).toEqual(['r-1: through the environment "rack" on desk']);
  expect(replicas[0]?.address).toBe("http://10.0.0.5:80");
});

test("command() throws what the object refuses", async () => {
  const { services, row } = world();
  await expect(services.command(row, { do: "undeploy", by: "ann" })).rejects.toMatchObject({ code: "command_refused" });
});

test.each([
  ["its row", { kind: "service", name: "albums" }, ["changed albums"]],
  ["its state machine", { kind: "state_machine", name: "always_on" }, ["changed other"]],
  ["its environment", { kind: "environment", name: "rack" }, ["changed albums"]],
  ["an exposure", { kind: "exposure", name: "web" }, []],
])("tell() tells a service of %s", async (_what, change, told) => {
  const { services, log } = world();
  await services.tell([change]);
  expect(log).toEqual(told);
});

test("look() wakes those that are to run without a request", async () => {
  const { services, log } = world();
  await services.look();
  expect(log).toEqual(["changed other"]);
});
