import path from "node:path";
import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";

/** For what hangs: how long something takes on a busy machine is not what tests are about. */
const TIMEOUTS = { testTimeout: 60_000, hookTimeout: 60_000 };

/** See test/workerd/_kills.ts. */
const KILLS = { KILLS: process.env["KILLS"] ?? "some" };

export default defineConfig({
  test: {
    projects: [
      {
        // Pure code, and what needs Node itself. Beside the code it tests.
        resolve: { alias: { "switchyard/adapter": path.resolve("src/adapters/plugin.ts") } },
        test: {
          ...TIMEOUTS,
          name: "unit",
          include: ["{src,cli,scripts}/**/*.test.ts", "examples/adapter-plugin/*.test.ts"],
        },
      },
      {
        // On the real runtime.
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        test: {
          ...TIMEOUTS,
          name: "workerd",
          include: ["test/workerd/**/*.test.ts"],
          exclude: [
            "test/workerd/agents*.test.ts",
            "test/workerd/artifacts*.test.ts",
            "test/workerd/deliveries*.test.ts",
            "test/workerd/executions*.test.ts",
            "test/workerd/jobs*.test.ts",
            "test/workerd/metrics-*.test.ts",
            "test/workerd/limits*.test.ts",
            "test/workerd/runner-*.test.ts",
            "test/workerd/schedules*.test.ts",
            "test/workerd/services*.test.ts",
          ],
        },
      },
      {
        // The pool of runners, with real sockets.
        plugins: [
          cloudflareTest({
            main: "./src/runners/runner-pool.ts",
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { RUNNERS: { className: "RunnerPool", useSQLite: true } },
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-runners", include: ["test/workerd/runner-*.test.ts"] },
      },
      {
        // The board of metrics.
        plugins: [
          cloudflareTest({
            main: "./src/metrics/metrics-board.ts",
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { METRICS_BOARD: { className: "MetricsBoard", useSQLite: true } },
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-metrics", include: ["test/workerd/metrics-*.test.ts"] },
      },
      {
        // Artifacts by themselves: on shards that keep nothing else, whose store and whose clock the tests hold.
        plugins: [
          cloudflareTest({
            main: "./test/workerd/artifact-shard.ts",
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { SHARDS: { className: "ArtifactShard", useSQLite: true } },
              r2Buckets: { ARTIFACTS: "artifacts" },
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-artifacts", include: ["test/workerd/artifacts*.test.ts"] },
      },
      {
        // The shards that keep executions, with runners and a clock that the tests hold.
        plugins: [
          cloudflareTest({
            main: "./test/workerd/execution-world.ts",
            additionalExports: { AttemptRunner: "WorkerEntrypoint", TriggerRunner: "WorkerEntrypoint" },
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { EXECUTIONS: { className: "ExecutionShard", useSQLite: true } },
              r2Buckets: { ARTIFACTS: "artifacts" },
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-executions", include: ["test/workerd/executions*.test.ts"] },
      },
      {
        // The boards that keep jobs, and the routes that jobs come back to.
        plugins: [
          cloudflareTest({
            main: "./test/workerd/jobs-world.ts",
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { JOBS: { className: "JobBoard", useSQLite: true } },
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-jobs", include: ["test/workerd/jobs*.test.ts"] },
      },
      {
        // Agents at work, with a registry, executions and a clock that the tests hold.
        plugins: [
          cloudflareTest({
            main: "./test/workerd/agents-world.ts",
            additionalExports: { AgentRunner: "WorkerEntrypoint" },
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { AGENTS: { className: "AgentObject", useSQLite: true } },
              bindings: KILLS,
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-agents", include: ["test/workerd/agents*.test.ts"] },
      },
      {
        // Services that are hot and cold, with rows, runners and a clock that the tests hold.
        plugins: [
          cloudflareTest({
            main: "./test/workerd/services-world.ts",
            additionalExports: { ServiceRunner: "WorkerEntrypoint" },
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { SERVICES: { className: "ServiceObject", useSQLite: true } },
              bindings: KILLS,
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-services", include: ["test/workerd/services*.test.ts"] },
      },
      {
        // The clocks of schedules, with a registry, executions and a clock that the tests hold.
        plugins: [
          cloudflareTest({
            main: "./test/workerd/schedules-world.ts",
            additionalExports: { TriggerRunner: "WorkerEntrypoint" },
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { SCHEDULER: { className: "Scheduler", useSQLite: true } },
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-schedules", include: ["test/workerd/schedules*.test.ts"] },
      },
      {
        // The objects that count rate limits, with a clock that the tests hold.
        plugins: [
          cloudflareTest({
            main: "./test/workerd/limits-world.ts",
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { RATE_LIMITS: { className: "RateLimiter", useSQLite: true } },
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-limits", include: ["test/workerd/limits*.test.ts"] },
      },
      {
        // The logs of deliveries to webhooks.
        plugins: [
          cloudflareTest({
            main: "./test/workerd/deliveries-world.ts",
            miniflare: {
              compatibilityDate: "2026-07-01",
              durableObjects: { DELIVERIES: { className: "DeliveryLog", useSQLite: true } },
            },
          }),
        ],
        test: { ...TIMEOUTS, name: "workerd-deliveries", include: ["test/workerd/deliveries*.test.ts"] },
      },
      {
        // What adapters meet that we did not write. What is not on the machine is skipped, by name.
        test: {
          ...TIMEOUTS,
          name: "counterparts",
          include: ["test/counterparts/**/*.test.ts"],
          fileParallelism: false,
        },
      },
      {
        // The real `opctl dev` as a child process, over HTTP and the command line.
        test: {
          ...TIMEOUTS,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
        },
      },
    ],
  },
});
