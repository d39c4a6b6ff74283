/** Whether a service can go by its state machine: asked when either of the two is written. */
import { leavesOf } from "../../machines/leaves.ts";
import { sortOf, type ServiceRow } from "../../model/services.ts";
import type { StateMachine } from "../../model/state-machines.ts";
import { assertWithinRights } from "../../model/within-rights.ts";
import { checkInvokes } from "./trigger.ts";
import { refuse, type WriteContext } from "./rules.ts";

/**
 * `at`: which of the two is written, so that what is wrong is said there. Throws definition_invalid, and forbidden where somebody
 * would have an operation asked with rights of the service that they have not.
 */
export async function checkFollows(
  service: ServiceRow,
  { name, states, transitions }: StateMachine,
  { draft, principal, at }: Pick<WriteContext, "draft" | "principal"> & { at: "service" | "machine" },
): Promise<void> {
  // What runs already is one replica, whatever the row says of more.
  const max = sortOf(service) === "address" ? 1 : service.replicas.max;
  for (const [state, { replicas }] of Object.entries(states)) {
    if (replicas === null || replicas <= max) continue;
    const detail = `it must be able to have as many replicas as each state of its state machine wants; it may have ${max}, and the state "${state}" of "${name}" wants ${replicas}`;
    throw at === "service"
      ? refuse("definition_invalid", "/replicas/max", `Cannot store the service "${service.name}": ${detail}`)
      : refuse(
          "definition_invalid",
          `/states/${state}/replicas`,
          `Cannot store the state machine "${name}", which the service "${service.name}" goes by: ${detail}`,
          `opctl edit service ${service.name} -s replicas='{"max": ${replicas}}'`,
        );
  }
  for (const [place, { when }] of transitions.entries()) {
    for (const { leaf, pointer } of leavesOf(when, `/transitions/${place}/when`)) {
      if (!("operation" in leaf)) continue;
      const row = await draft.row("operation", leaf.operation);
      if (row === undefined) continue;
      const rights = { ...service, secrets: [] };
      const what = `have "${leaf.operation}" asked with the rights of the`;
      assertWithinRights(principal, rights, { kind: "service", what });
      checkInvokes("service", service, { row, pointer: at === "service" ? "/scopes" : `${pointer}/operation` });
    }
  }
}
