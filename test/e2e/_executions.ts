/** What tests of later runs ask of a platform: submit, look, wait for the end. */
import { expect } from "vitest";
import { isFinal } from "../../src/model/execution-states.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import { waitUntil, type Dev } from "./_platform.ts";

export async function submit(
  on: Dev,
  name: string,
  input: unknown,
  query = "",
): Promise<{ status: number; body: never }> {
  const response = await on.request(`/ops/${name}${query}`, {
    method: "POST",
    body: JSON.stringify(input),
    headers: { prefer: "respond-async" },
  });
  return { status: response.status, body: (await response.json()) as never };
}

export async function accepted(on: Dev, name: string, input: unknown, query = ""): Promise<string> {
  const { status, body } = await submit(on, name, input, query);
  expect([status, body]).toMatchObject([202, {}]);
  return (body as { execution_id: string }).execution_id;
}

export async function viewOf(on: Dev, id: string): Promise<ExecutionView> {
  const response = await on.request(`/executions/${id}`);
  expect(response.status).toBe(200);
  return (await response.json()) as ExecutionView;
}

export async function ended(on: Dev, id: string, withinMs = 30_000): Promise<ExecutionView> {
  let view: ExecutionView | undefined;
  await waitUntil(
    async () => isFinal((view = await viewOf(on, id)).status),
    withinMs,
    () => JSON.stringify(view),
  );
  return view as ExecutionView;
}

export async function listed(on: Dev, operation: string): Promise<ExecutionView[]> {
  const response = await on.request(`/executions?operation=${operation}&limit=200`);
  return ((await response.json()) as { items: ExecutionView[] }).items;
}
