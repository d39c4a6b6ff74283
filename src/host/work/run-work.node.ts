/** The work of a host that is no module: programs, containers, services of its own network. What may run is asked before, by the allow-list. */
import type { Work } from "../../model/host-protocol.ts";
import type { InvocationResult } from "../../model/invocation.ts";
import { cancelled, type WorkOptions, type WorkOrder } from "./_work.ts";
import { runContainer } from "./container.node.ts";
import { runHttp } from "./http.node.ts";
import { runProcess } from "./process.node.ts";

export async function runExternalWork(
  work: Exclude<Work, { kind: "module" | "replica" }>,
  order: WorkOrder,
  options: WorkOptions,
): Promise<InvocationResult> {
  if (options.cancellation?.requested === true) return cancelled(order.meta);
  switch (work.kind) {
    case "process":
      return runProcess(work, order, options);
    case "container":
      return runContainer(work, order, options);
    case "http":
      return runHttp(work, order, options);
  }
}
