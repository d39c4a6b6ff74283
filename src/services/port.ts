/** What the edge can do with services beside their built-in functions. Implemented by services.ts. */
import type { ServiceStatusView } from "../registry/builtins/service-functions.ts";

/** One thing that happened to a service, as a sentence. */
export type ServiceEvent = ServiceStatusView["events"][number];

export interface ServiceWatch {
  /** Events after the one; waits for the next where there are none. None before its time: the service is gone. */
  watch(name: string, options: { after: number; waitMs: number }): Promise<ServiceEvent[]>;
}
