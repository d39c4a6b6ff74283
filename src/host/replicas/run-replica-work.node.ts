/** An order of the kind `replica`, done by the replicas of this runner. */
import type { Cancellation } from "../../core/cancellation.ts";
import { toErrorData, toSwitchyardError } from "../../core/errors.ts";
import type { ReplicaWork } from "../../model/host-protocol.ts";
import type { InvocationMeta, InvocationResult } from "../../model/invocation.ts";
import { failed } from "../work/_work.ts";
import type { Replicas } from "./replicas.node.ts";

type Order = { meta: InvocationMeta; input: string; cancellation?: Cancellation | undefined };

/** Never rejects. A start or a stop that nobody waits for any more goes on: somebody may have asked for it twice. */
export async function runReplicaWork(
  replicas: Replicas | undefined,
  work: ReplicaWork,
  { meta, input, cancellation }: Order,
): Promise<InvocationResult> {
  if (replicas === undefined) {
    return failed("environment_forbids", `Cannot run "${meta.operation}" here: services run on runners only`);
  }
  try {
    switch (work.do) {
      case "start":
        return answer(await replicas.start(work));
      case "stop":
        await replicas.stop({ ...work, service: meta.operation });
        return answer(null);
      case "observe":
        return answer(replicas.observe(work.service));
      case "request":
        return await replicas.request({ work, body: input, timeoutMs: meta.timeout_ms, cancellation });
    }
  } catch (thrown) {
    const error = toErrorData(toSwitchyardError(thrown));
    const code = error.code === "internal" ? "environment_unavailable" : error.code;
    return { ok: false, error: { ...error, code }, retry: { kind: "may" }, logs: [] };
  }
}

function answer(value: unknown): InvocationResult {
  return { ok: true, output: JSON.stringify(value), logs: [] };
}
