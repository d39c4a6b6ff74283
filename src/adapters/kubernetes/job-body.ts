/** The Job of one call, as data. https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ */
import { traceVariables } from "../../core/trace.ts";
import type { AdapterCall, JobTicket } from "../adapter.ts";
import { QUEUE_LIMIT_MS } from "../job.ts";
import type { KubernetesJobConfig } from "./config.ts";
import { containerSettings, CONTAINER, labelsOf, literal, podSettings } from "./pod-body.ts";

/** Linux takes 128 KiB in one variable; a character is at most 3 bytes. A longer input is fetched. */
const INPUT_CHARS = 32_000;
/** What starting, reporting and stopping take: the platform's own time-out comes first. */
const SLACK_MS = 60_000;

/** Deterministic: starting the same ticket again asks for the same Job, under the same name. */
export function jobBody(
  { operation, environment, input, meta }: AdapterCall,
  config: KubernetesJobConfig,
  { ticket, image, queueLimitMs = QUEUE_LIMIT_MS }: { ticket: JobTicket; image: string; queueLimitMs?: number },
) {
  const { implementation } = operation;
  const isContainer = implementation.kind === "container";
  const command = isContainer ? implementation.command : null;
  const labels = labelsOf(config);
  const variables = isContainer ? traceVariables(meta) : [];
  const env = [
    { name: "SWITCHYARD_JOB_URL", value: ticket.url },
    { name: "SWITCHYARD_JOB_TOKEN", value: ticket.token },
    ...variables.map(({ name, value }) => ({ name, value: literal(value) })),
    ...(isContainer && input.length <= INPUT_CHARS ? [{ name: "SWITCHYARD_INPUT", value: literal(input) }] : []),
  ];
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: ticket.id,
      namespace: config.namespace,
      labels,
      annotations: {
        "switchyard/operation": operation.name,
        "switchyard/environment": environment.name,
        "switchyard/execution": meta.execution_id,
      },
    },
    spec: {
      // The platform tries again, as the operation says.
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      // Counts from the Job's creation, so also while it waits for a machine.
      activeDeadlineSeconds: Math.ceil((queueLimitMs + meta.timeout_ms + SLACK_MS) / 1_000),
      ttlSecondsAfterFinished: config.ttl_seconds_after_finished,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: "Never",
          ...podSettings(config),
          containers: [
            {
              name: CONTAINER,
              ...containerSettings(config, { image, command }),
              env,
            },
          ],
        },
      },
    },
  };
}
