/** What the adapter `service` needs of the layer above: a replica for one request, waited for while its service warms. */
import type { Cancellation } from "../../core/cancellation.ts";
import type { EnvironmentHandle } from "../../model/environment.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { ReplicaRef } from "../service-host.ts";

/** What became of a request, as its replica is judged by. `failed`: it answered 5xx, or broke off. */
export type Left = "answered" | "failed" | "not_sent" | "cancelled";

export type Entered = {
  ok: true;
  replica: ReplicaRef;
  via: "direct" | "environment";
  environment: EnvironmentHandle;
  basePath: string;
  /** Another replica could be tried in its place. */
  others: boolean;
  /** Must be called once, at the end of the request: until then the replica is kept. */
  leave(how: Left): void;
};

export interface ServicesPort {
  /**
   * A replica of the service behind the exposure. Waits in turn while there is none, and makes the service warm; at most
   * `waitMs`. `avoid`: replicas that this very request has tried.
   */
  enter(
    exposure: string,
    options: { waitMs: number; avoid: ReadonlySet<string>; cancellation?: Cancellation | undefined },
  ): Promise<Entered | (Outcome & { ok: false })>;
}
