/** State machines that come with the platform. Each is a row that may be edited, or duplicated and then edited. */
import type { StateMachine } from "../model/state-machines.ts";

const state = (replicas: number | null, description: string) => ({ replicas, description });
const transition = (name: string, [from, to]: [string, string], when: StateMachine["transitions"][number]["when"]) => ({
  name,
  from,
  to,
  when,
  scale_by: null,
  cooldown_s: 0,
});

const WAITED_FOR = { fact: "waiting", op: ">", value: 0 } as const;
const idleFor = (seconds: number) => ({ fact: "idle_seconds", op: ">=", value: seconds }) as const;

export const READY_MADE: readonly StateMachine[] = [
  {
    name: "hot_cold",
    description: "Deployed when a request comes, undeployed when none has come for five minutes.",
    initial: "cold",
    states: { cold: state(0, "Nothing runs."), hot: state(1, "One replica runs.") },
    transitions: [
      transition("warm_up", ["cold", "hot"], WAITED_FOR),
      transition("cool_down", ["hot", "cold"], idleFor(300)),
    ],
  },
  {
    name: "hot_cold_scaled",
    description: "As hot_cold, with up to five replicas as throughput asks.",
    initial: "cold",
    states: { cold: state(0, "Nothing runs."), hot: state(null, "One replica or more.") },
    transitions: [
      transition("warm_up", ["cold", "hot"], WAITED_FOR),
      {
        ...transition("scale_out", ["hot", "hot"], {
          all: [
            { fact: "requests_per_second", op: ">", value: 50 },
            { fact: "replicas", op: "<", value: 5 },
          ],
        }),
        scale_by: 1,
        cooldown_s: 30,
      },
      {
        ...transition("scale_in", ["hot", "hot"], {
          all: [
            { fact: "requests_per_second", op: "<", value: 10 },
            { fact: "idle_seconds", op: "<", value: 300 },
            { fact: "replicas", op: ">", value: 1 },
          ],
        }),
        scale_by: -1,
        cooldown_s: 60,
      },
      transition("cool_down", ["hot", "cold"], idleFor(300)),
    ],
  },
  {
    name: "always_on",
    description: "One replica, always.",
    initial: "on",
    states: { on: state(1, "One replica runs.") },
    transitions: [],
  },
  {
    name: "blue_green",
    description: "A new revision comes beside the old one, and takes over once it has been healthy for ten seconds.",
    initial: "blue",
    states: { blue: state(1, "The revision in force runs."), green: state(2, "The new one runs beside it.") },
    transitions: [
      transition("try_out", ["blue", "green"], { operation: "service_has_new_revision", input: {} }),
      transition("take_over", ["green", "blue"], {
        all: [
          { fact: "healthy", op: "=", value: true },
          { fact: "seconds_in_state", op: ">=", value: 10 },
          { not: { operation: "service_has_new_revision", input: {} } },
        ],
      }),
    ],
  },
];
