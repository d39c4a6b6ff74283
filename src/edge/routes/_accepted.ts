/** 202 for an execution that is durable and will run. */
export function accepted(id: string, headers: Record<string, string> = {}): Response {
  return new Response(`{"execution_id":"${id}"}`, {
    status: 202,
    headers: { ...headers, "content-type": "application/json", location: `/executions/${id}`, "execution-id": id },
  });
}
