/** The port of the routes that jobs come back to; jobs.ts is what is behind it. Apart from that, since it needs no runtime's types. */
import type { HostOrder } from "../../model/host-protocol.ts";

/** What a job itself may do, with its ticket. */
export interface JobCallbacks {
  /** Whether the ticket is this job's, before its body is read. Throws token_unknown, token_expired. */
  verify(id: string, ticket: string): Promise<void>;
  /** Throws token_unknown, token_expired, entity_not_found, execution_final. */
  order(id: string, ticket: string): Promise<{ head: HostOrder; input: string }>;
  /** The same again is taken without effect. Throws as order() does. */
  report(id: string, ticket: string, text: string): Promise<void>;
}
