/**
 * The adapter kubernetes-job on a real cluster: only for whoever sets every variable below. It looks, and then makes two
 * Jobs: one that exits with 3 without a report, and one whose image is not there. It deletes what it has made.
 *
 *     LIVE_KUBERNETES=yes KUBE_API_SERVER=https://… KUBE_TOKEN=… KUBE_NAMESPACE=… node test/live/kubernetes.ts
 */
import { kubernetesJobAdapter } from "../../src/adapters/kubernetes/kubernetes-job.ts";
import { environmentOf } from "../../src/model/_environment.test-util.ts";
import { callOf } from "../contracts/adapter/call-of.ts";
import { fakePorts } from "../contracts/adapter/fake-ports.ts";
import { WaitingJobs } from "../contracts/adapter/job-place.ts";

const NEEDED = ["KUBE_API_SERVER", "KUBE_TOKEN", "KUBE_NAMESPACE"];
const TIMEOUT_MS = 120_000;

const { env } = process;
const missing = NEEDED.filter((name) => (env[name] ?? "") === "");
if (env["LIVE_KUBERNETES"] !== "yes") missing.push("LIVE_KUBERNETES=yes");
if (missing.length > 0) {
  console.error(
    `Cannot call Kubernetes: it needs every variable that it names; these are not set: ${missing.join(", ")}`,
  );
  process.exit(2);
}

/** Names that no earlier run has used. */
const run = Date.now().toString(36);
class NamedJobs extends WaitingJobs {
  override async open(job: Parameters<WaitingJobs["open"]>[0]): ReturnType<WaitingJobs["open"]> {
    const opened = await super.open(job);
    opened.ticket.id = `sy-live-${run}-${this.jobs.length}`;
    return opened;
  }
}

const environment = environmentOf("live", {
  adapter: "kubernetes-job",
  config: { api_server: env["KUBE_API_SERVER"], namespace: env["KUBE_NAMESPACE"], ttl_seconds_after_finished: 60 },
  openSecrets: async () => ({ token: env["KUBE_TOKEN"] ?? "" }),
});
const jobs = new NamedJobs();
const ports = fakePorts({ jobs, platformUrl: "https://platform.invalid", fetchOn: () => (request) => fetch(request) });
const adapter = kubernetesJobAdapter(ports, { pollMs: 2_000 });

console.log("check:", await adapter.check?.(environment));
let asExpected = true;
for (const [image, command, expected] of [
  ["busybox:1", ["sh", "-c", "exit 3"], "implementation_failed"],
  ["registry.invalid/not-there:1", null, "environment_misconfigured"],
] as const) {
  const implementation = { kind: "container" as const, image, command: command === null ? null : [...command] };
  const outcome = await adapter.invoke(callOf(implementation, {}, { environment, timeoutMs: TIMEOUT_MS }));
  console.log(`outcome of ${image}, to be ${expected}:`, outcome);
  asExpected &&= !outcome.ok && outcome.error.code === expected;
}
process.exitCode = asExpected ? 0 : 1;
