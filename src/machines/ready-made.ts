/** State machines that come with the platform. Each is a row that may be edited, or duplicated and then edited. */
import type { StateMachine } from "../model/state-machines.ts";

type State = StateMachine["states"][string];

const state = (count: number | null, description: string, revision: State["revision"] = "newest"): State => ({
  replicas: count,
  description,
  revision,
});
const transition = (name: string, [from, to]: [string, string], when: StateMachine["transitions"][number]["when"]) => ({
  name,
  from,
  to,
  when,
  scale_by: null,
  cooldown_s: 0,
});

const WAITED_FOR = { fact: "waiting", op: ">", value: 0 } as const;
const newRevision = (value: boolean) => ({ fact: "new_revision", op: "=", value }) as const;
const candidateHealthy = (value: boolean) => ({ fact: "candidate_healthy", op: "=", value }) as const;
const idleFor = (seconds: number) => ({ fact: "idle_seconds", op: ">=", value: seconds }) as const;

/** Requests in a second that one replica is good for, and how much fewer before one goes again. */
const FULL = 50;
const SPARE = 35;
const MOST = 5;
const counts = Array.from({ length: MOST - 1 }, (_, at) => at + 1);
const replicas = (op: "<=" | ">", value: number) => ({ fact: "replicas", op, value }) as const;
const rate = (op: "<" | ">", value: number) => ({ fact: "requests_per_second", op, value }) as const;

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
    description: "As hot_cold, with up to five replicas: one for each 50 requests in a second.",
    initial: "cold",
    states: { cold: state(0, "Nothing runs."), hot: state(null, "One replica or more.") },
    transitions: [
      transition("warm_up", ["cold", "hot"], WAITED_FOR),
      {
        ...transition("scale_out", ["hot", "hot"], {
          any: counts.map((count) => ({ all: [replicas("<=", count), rate(">", FULL * count)] })),
        }),
        scale_by: 1,
        cooldown_s: 30,
      },
      {
        ...transition("scale_in", ["hot", "hot"], {
          all: [
            // Who has idled so long cools down.
            { fact: "idle_seconds", op: "<", value: 300 },
            { any: counts.map((count) => ({ all: [replicas(">", count), rate("<", SPARE * count)] })) },
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
    states: {
      blue: state(1, "What serves goes on, whatever is edited.", "kept"),
      green: state(1, "A new revision runs beside it and gets no requests.", "both"),
      proven: state(1, "The new revision is healthy, and stays so for ten seconds.", "both"),
      cut_over: state(1, "The new revision gets the requests, and the old one goes.", "newest"),
    },
    transitions: [
      transition("try_out", ["blue", "green"], newRevision(true)),
      transition("prove", ["green", "proven"], candidateHealthy(true)),
      transition("take_over", ["proven", "cut_over"], {
        all: [candidateHealthy(true), { fact: "seconds_in_state", op: ">=", value: 10 }],
      }),
      transition("doubt", ["proven", "green"], { all: [newRevision(true), candidateHealthy(false)] }),
      transition("withdraw", ["green", "blue"], newRevision(false)),
      transition("withdraw_proven", ["proven", "blue"], newRevision(false)),
      transition("settle", ["cut_over", "blue"], newRevision(false)),
    ],
  },
];
