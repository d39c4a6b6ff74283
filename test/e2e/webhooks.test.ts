/** Webhooks on the real `opctl dev`: from a sender's signed request to the execution, and what the record of it says. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, startDev, waitUntil, type Dev } from "./_platform.ts";
import { registryOf, type Json } from "./_registry.ts";

let dev: Dev;
const { done, send } = registryOf(() => dev);

const SECRET = "It's a Secret to Everybody";

beforeAll(async () => {
  dev = await startDev();
  await install(dev, "seen", "export function seen(input) { return { seen: input }; }", { group: "hooks" });
  await done("PUT", "/registry/secrets/github_key", { value: SECRET, groups: ["hooks"] });
  await done("PUT", "/registry/webhooks/pushed", { operation: "seen", scheme: "github", secrets: ["github_key"] });
});
afterAll(() => dev.stop());

type Told = { status: number; body: Json; headers: Headers };

async function told(response: Response): Promise<Told> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === "" ? {} : JSON.parse(text)) as Json };
}

async function post(
  name: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
): Promise<Told> {
  const { "content-type": type = "application/json", ...rest } = headers;
  const init = { method: "POST", body, headers: { "content-type": type, ...rest } };
  return told(await fetch(`${dev.url}/hooks/${name}`, init));
}

function github(body: string, { id = crypto.randomUUID(), secret = SECRET }: { id?: string; secret?: string } = {}) {
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  return { "x-github-event": "push", "x-github-delivery": id, "x-hub-signature-256": `sha256=${signature}` };
}

async function outputOf(id: unknown): Promise<unknown> {
  const response = await dev.request(`/executions/${String(id)}/output`, { headers: { prefer: "wait=10" } });
  return response.json();
}

/** Its record, once it is written. */
async function recordOf(id: unknown): Promise<Json> {
  let answer = await send("GET", `/deliveries/${String(id)}`);
  await waitUntil(
    async () => (answer = await send("GET", `/deliveries/${String(id)}`)).status === 200,
    5_000,
    () => JSON.stringify(answer.body),
  );
  return answer.body;
}

describe("a signed request", () => {
  it("starts the operation, which is kept before it is acknowledged", async () => {
    const body = '{"ref":"refs/heads/main"}';
    const answer = await post("pushed", body, github(body));
    expect(answer).toMatchObject({ status: 202, body: { execution_id: expect.stringMatching(/^ex_/) } });
    expect(answer.body["delivery_id"]).toBe(answer.headers.get("delivery-id"));
    expect(await outputOf(answer.body["execution_id"])).toEqual({ seen: { ref: "refs/heads/main" } });
    const execution = await send("GET", `/executions/${String(answer.body["execution_id"])}`);
    expect(execution.body).toMatchObject({
      caller: { type: "webhook", id: "pushed" },
      principal: "webhook:pushed",
      status: "succeeded",
    });
    expect(await recordOf(answer.body["delivery_id"])).toMatchObject({
      webhook: "pushed",
      status: "accepted",
      verified: true,
      code: null,
      execution_id: answer.body["execution_id"],
      body,
      body_kept: true,
    });
  });
});
