/** Services that are cold, for tests of what has nothing to do with them. */
import type { ServicePorts, ServiceStatusView } from "./service-functions.ts";

const status = async ({ name }: { name: string }): Promise<ServiceStatusView> => ({
  name,
  active: true,
  state_machine: "hot_cold",
  state: "cold",
  since: null,
  because: [],
  revision: "r",
  outdated: 0,
  wanted: 0,
  ready: 0,
  settled: true,
  stuck: false,
  replicas: [],
  waiting: 0,
  facts: {},
  next: [],
  plan: [],
  steps: [],
  crashes: { failures: 0, looping: false, reason: null, lines: [], next_at: null },
  exposures: [],
  problem: null,
  events: [],
});

export const COLD_SERVICES: ServicePorts["services"] = {
  status,
  command: status,
  start: async (_row, { service, replica, revision, place, count }) => ({
    service,
    replica,
    revision,
    place,
    count,
    status: "ready",
    address: null,
    cpu: null,
    ready: count,
    ended: null,
    lines: [],
  }),
  stop: async () => undefined,
  observe: async () => [],
};
