/** The routes of executions, artifacts and deliveries, as the commands use them. */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { DeliveryContent, DeliveryView } from "../../src/model/delivery.ts";
import type { ArtifactView, ExecutionLogLine, ExecutionView } from "../../src/model/execution.ts";
import { parseAnswer, type Client } from "../client.ts";

/** Log lines that one request asks for. */
const LOG_PAGE = 1000;
/** Rows that one request of a listing asks for. */
const PAGE = 100;

/** `/executions/ID`, or a usage error that says what would have been meant. */
export function executionRoute(id: string): string {
  if (/^ex_[0-9a-z_]+$/.test(id)) return `/executions/${id}`;
  const artifact = id.startsWith("ar_");
  throw new SwitchyardError("usage", `Cannot find an execution by "${id}": its id must begin with ex_`, {
    hint: artifact
      ? `${id} is an artifact: opctl artifact get ${id}`
      : `\`opctl get executions${/^[a-z][a-z0-9_.-]*$/.test(id) ? ` --operation ${id}` : ""}\` lists executions with their ids.`,
  });
}

export function artifactRoute(id: string): string {
  if (/^ar_[0-9a-z_]+$/.test(id)) return `/artifacts/${id}`;
  throw new SwitchyardError("usage", `Cannot find an artifact by "${id}": its id must begin with ar_`, {
    hint: id.startsWith("ex_")
      ? `\`opctl get artifacts --execution ${id}\` lists the artifacts of that execution.`
      : "`opctl get artifacts` lists artifacts with their ids.",
  });
}

export function deliveryRoute(id: string): string {
  if (/^dl_[0-9a-z_]+$/.test(id)) return `/deliveries/${id}`;
  throw new SwitchyardError("usage", `Cannot find a delivery by "${id}": its id must begin with dl_`, {
    hint: "`opctl get deliveries` lists deliveries with their ids; a sender finds it in the header Delivery-Id.",
  });
}

export async function readDelivery(client: Client, id: string): Promise<DeliveryContent> {
  return parseAnswer(await client.request("GET", deliveryRoute(id))) as DeliveryContent;
}

/** The text of the answer, `{"delivery_id": …, "execution_id": …}`. */
export async function replayDelivery(client: Client, id: string): Promise<string> {
  return (await client.request("POST", `${deliveryRoute(id)}/replay`)).text;
}

export async function readExecution(client: Client, id: string): Promise<ExecutionView> {
  return parseAnswer(await client.request("GET", executionRoute(id))) as ExecutionView;
}

/** Newest first. `more`: the listing goes on behind the last of them. */
export type Listing<T> = { items: T[]; more: boolean };

export function listExecutions(client: Client, query: URLSearchParams, limit: number): Promise<Listing<ExecutionView>> {
  return listRows(client, "/executions", query, limit);
}

export function listArtifacts(client: Client, query: URLSearchParams, limit: number): Promise<Listing<ArtifactView>> {
  return listRows(client, "/artifacts", query, limit);
}

export function listDeliveries(client: Client, query: URLSearchParams, limit: number): Promise<Listing<DeliveryView>> {
  return listRows(client, "/deliveries", query, limit);
}

export async function listRows<T>(
  client: Client,
  route: string,
  query: URLSearchParams,
  limit: number,
): Promise<Listing<T>> {
  const items: T[] = [];
  let cursor: string | null | undefined;
  do {
    const page = new URLSearchParams(query);
    page.set("limit", String(Math.min(PAGE, limit - items.length)));
    if (cursor != null) page.set("cursor", cursor);
    const answer = parseAnswer(await client.request("GET", `${route}?${page.toString()}`)) as {
      items: T[];
      next_cursor: string | null;
    };
    items.push(...answer.items);
    cursor = answer.next_cursor;
  } while (cursor != null && items.length < limit);
  return { items, more: cursor != null };
}

/** Every line that is there now, oldest first. */
export async function* readLogs(client: Client, id: string): AsyncGenerator<ExecutionLogLine> {
  let after = "";
  for (;;) {
    const route = `${executionRoute(id)}/logs?limit=${LOG_PAGE}${after}`;
    const page = parseAnswer(await client.request("GET", route)) as {
      items: ExecutionLogLine[];
      next_cursor: string | null;
    };
    yield* page.items;
    const last = page.items.at(-1);
    if (last === undefined || page.next_cursor == null) return;
    after = `&after=${last.seq}`;
  }
}

export async function cancelExecution(client: Client, id: string): Promise<ExecutionView> {
  return parseAnswer(await client.request("POST", `${executionRoute(id)}/cancel`)) as ExecutionView;
}

/** The text of the answer, `{"execution_id": …}`. Without a revision the replay runs the one that was run before. */
export async function replayExecution(client: Client, id: string, revision?: number | "latest"): Promise<string> {
  const body = JSON.stringify(revision === undefined ? {} : { revision });
  return (await client.request("POST", `${executionRoute(id)}/replay`, { body })).text;
}
