/** `opctl get service NAME`: what it is at, for people; as JSON or YAML the row, with that as its `status`. */
import { toSwitchyardError } from "../../src/core/errors.ts";
import type { Context } from "../command.ts";
import type { Format } from "../executions/get-records.ts";
import { readEntry } from "../registry.ts";
import { readStatus, type ServiceStatusView } from "./api.ts";
import { statusText } from "./status-text.ts";

export async function getService(context: Context, name: string, format: Format): Promise<void> {
  const { client, output } = context;
  const { entry } = await readEntry(client, "service", name);
  if (format === "table") return output.data(statusText(await readStatus(client, name)));
  const shown = { ...entry, status: await statusOrNull(context, name) };
  if (format === "json") output.value(shown);
  else output.data((await import("../yaml.ts")).toYaml(shown));
}

/** The row can be read where the status cannot. */
async function statusOrNull({ client, output }: Context, name: string): Promise<ServiceStatusView | null> {
  try {
    return await readStatus(client, name);
  } catch (thrown) {
    output.warn(toSwitchyardError(thrown).message);
    return null;
  }
}
