/**
 * Executions as resources: how an agent gets to the end of a call that it did not wait for, with no more rights than it
 * had for the call. They are not listed: their addresses are in the results of tools.
 */
import { ResourceNotFoundError, type ReadResourceResult } from "@modelcontextprotocol/server";
import type { Platform } from "../context.ts";
import { allows, type Principal } from "../../model/principal.ts";

const URI = /^switchyard:\/\/\/executions\/([a-z0-9_]{1,64})$/;
const JSON_TYPE = "application/json";

export function listTemplates() {
  return {
    resourceTemplates: [
      {
        uriTemplate: "switchyard:///executions/{id}",
        name: "execution",
        title: "Execution",
        description: "State, attempts and error of one execution, and its output once it has one.",
        mimeType: JSON_TYPE,
      },
    ],
  };
}

export async function readExecution(
  uri: string,
  { executions, principal }: { executions: Pick<Platform["executions"], "find" | "output">; principal: Principal },
): Promise<ReadResourceResult> {
  const id = URI.exec(uri)?.[1];
  const view = id === undefined ? undefined : await executions.find(id);
  // Whoever may not read it is told the same as for one that does not exist.
  if (view === undefined || !(view.principal === principal.id || allows(principal, "registry:read"))) {
    throw new ResourceNotFoundError(uri);
  }
  const output = view.status === "succeeded" ? await executions.output(view.id) : undefined;
  const { operation, status, attempt, accepted_at, finished_at, error } = view;
  const shown = { id: view.id, operation, status, attempt, accepted_at, finished_at, error };
  const text = JSON.stringify(output === undefined ? shown : { ...shown, output: JSON.parse(output) as unknown });
  return { contents: [{ uri, mimeType: JSON_TYPE, text }] };
}
