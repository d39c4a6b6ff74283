/** Webhooks while parts of the platform are gone: what was accepted runs, what cannot be verified starts nothing. */
import { createHmac, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Victim } from "../soak/_victim.ts";
import { ended, listed } from "./_executions.ts";
import { install, waitUntil } from "./_platform.ts";
import { registryOf, type Json } from "./_registry.ts";

const SECRET = "a secret";
let victim: Victim;
const { done, send } = registryOf(() => victim.dev);

beforeAll(async () => {
  victim = await Victim.start();
  await install(victim.dev, "seen", "export function seen(input) { return input; }", { group: "hooks" });
  await done("PUT", "/registry/secrets/key", { value: SECRET, groups: ["hooks"] });
  for (const name of ["pushed", "never_asked"])
    await done("PUT", `/registry/webhooks/${name}`, { operation: "seen", scheme: "github", secrets: ["key"] });
});
afterAll(() => victim?.stop());

type Told = { status: number; code: unknown; execution: string; delivery: string };

async function post(name: string, body: string, id: string): Promise<Told> {
  const signature = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
  const response = await fetch(`${victim.dev.url}/hooks/${name}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", "x-github-delivery": id, "x-hub-signature-256": signature },
  });
  const told = (await response.json()) as Json;
  return {
    status: response.status,
    code: told["code"],
    execution: String(told["execution_id"]),
    delivery: response.headers.get("delivery-id") ?? "",
  };
}

it("with the registry hung, those that are known are taken, from what is cached", async () => {
  expect(await post("pushed", "1", "warm")).toMatchObject({ status: 202 });
  const [registry = 0] = victim.pidsOf("registry");
  let execution = "";
  process.kill(registry, "SIGSTOP");
  try {
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const known = await post("pushed", "2", "while-it-hangs");
    expect(known).toMatchObject({ status: 202 });
    ({ execution } = known);
    // Of the other nothing is known yet, and so nothing can be verified: the sender is to try again.
    expect(await post("never_asked", "2", "while-it-hangs")).toMatchObject({
      status: 503,
      code: "registry_unavailable",
    });
  } finally {
    process.kill(registry, "SIGCONT");
  }
  expect(await ended(victim.dev, execution, 60_000)).toMatchObject({ status: "succeeded" });
  await waitUntil(async () => (await post("never_asked", "3", "after-it-hung")).status === 202, 30_000);
});

it("with everything killed right after 202, what was accepted runs once, however often it is sent again", async () => {
  const accepted = await post("pushed", '"once"', "killed");
  expect(accepted).toMatchObject({ status: 202 });
  await victim.kill("platform");
  await victim.untilUp();
  const again = await post("pushed", '"once"', "killed");
  expect(again).toMatchObject({ status: 202, execution: accepted.execution });
  expect(await ended(victim.dev, accepted.execution, 60_000)).toMatchObject({ status: "succeeded" });
  const all = await listed(victim.dev, "seen");
  expect(all.filter(({ id }) => id === accepted.execution)).toHaveLength(1);
  let record: Json = {};
  await waitUntil(
    async () => (record = (await send("GET", `/deliveries/${again.delivery}`)).body)["status"] === "duplicate",
    10_000,
    () => JSON.stringify(record),
  );
});

it("records that were written are there after everything is killed", async () => {
  const { delivery } = await post("pushed", '"kept"', "kept");
  // What is promised: a second at most.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await victim.kill("platform");
  await victim.untilUp();
  expect(await send("GET", `/deliveries/${delivery}`)).toMatchObject({
    status: 200,
    body: { status: "accepted", body: '"kept"' },
  });
});

it("with secrets sealed by another master key, nothing is accepted", async () => {
  const before = (await listed(victim.dev, "seen")).length;
  writeFileSync(path.join(victim.dev.state, "master.key"), `${randomBytes(32).toString("base64")}\n`);
  await victim.kill("platform");
  await victim.untilUp();
  const refused = await post("pushed", '"unopenable"', "unopenable");
  expect(refused).toMatchObject({ status: 503, code: "secret_unavailable" });
  expect((await listed(victim.dev, "seen")).length).toBe(before);
});
