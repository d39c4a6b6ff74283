/** The change log as an audit trail, on the real platform: read, verified over HTTP and in the database, and tampered with. */
import path from "node:path";
import { createClient } from "@libsql/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { install, startDev, type Dev } from "./_platform.ts";

let dev: Dev;
const file = (): string => path.join(dev.state, "registry.db");

async function sql(statements: string): Promise<void> {
  const client = createClient({ url: `file:${file()}`, timeout: 5_000 });
  await client.executeMultiple(statements);
  client.close();
}

beforeAll(async () => {
  dev = await startDev();
  await install(dev, "relay", "export async function relay({ name, input }, ctx) { return ctx.call(name, input); }");
  await dev.opctl(["edit", "operation", "relay", "-s", "description=Calls another."]);
});
afterAll(() => dev.stop());

describe("opctl get changes", () => {
  it("tells who changed what, by every condition", async () => {
    const { stdout } = await dev.opctl(["get", "changes", "--kind", "operations", "--name", "relay"]);
    const [header = "", ...lines] = stdout.trimEnd().split("\n");
    expect(header.split(/ +/)).toEqual(["SEQ", "AT", "WHO", "ACTION", "KIND", "NAME", "REVISION", "DIGESTS"]);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      /^\d+ +20\S+Z +local-admin \([0-9a-z]{16}\) +edit +operation +relay +2 +[0-9a-f]{12} → [0-9a-f]{12}$/,
    );
    expect(lines[1]).toMatch(/ create +operation +relay +1 +- → [0-9a-f]{12}$/);
    const count = async (...conditions: string[]): Promise<number> =>
      (JSON.parse((await dev.opctl(["get", "changes", "--limit", "1000", "--json", ...conditions])).stdout) as [])
        .length;
    const all = await count();
    expect(await count("--author", "local-admin")).toBe(3);
    expect(await count("--author", "system")).toBe(all - 3);
    expect(await count("--author", "nobody")).toBe(0);
    expect(await count("--since", "1h")).toBe(all);
    expect(await count("--until", "2020-01-01T00:00:00Z")).toBe(0);
    expect((await dev.opctl(["get", "changes", "--status", "dead"])).code).toBe(2);
  });

  it("shows the difference that one made", async () => {
    const [newest] = JSON.parse((await dev.opctl(["get", "changes", "--limit", "1", "--json"])).stdout) as {
      seq: number;
    }[];
    const { stdout } = await dev.opctl(["get", "change", String(newest?.seq)]);
    expect(stdout).toContain(`change ${newest?.seq}: edit operation relay, revision 2`);
    expect(stdout).toContain("--- registry/operation/relay@1\n+++ registry/operation/relay@2");
    expect(stdout).toContain('-description: ""\n+description: Calls another.');
    expect((await dev.opctl(["get", "change", "999999"])).code).toBe(4);
    expect((await dev.opctl(["get", "change", "relay"])).code).toBe(2);
  });

  it("names the execution that asked for a change", async () => {
    const answer = await dev.call("relay", { name: "create_type", input: { name: "made_by_relay", schema: true } });
    expect(answer.status).toBe(200);
    const { items } = (await (await dev.request("/changes?name=made_by_relay")).json()) as {
      items: { caller: string; author_name: string }[];
    };
    expect(items).toMatchObject([
      { caller: `execution:${answer.headers.get("execution-id")}`, author_name: "local-admin" },
    ]);
  });
});

describe("opctl audit verify", () => {
  let head: string;

  it("holds over HTTP and in the database, against a head that was noted", async () => {
    head = (await dev.opctl(["audit", "head"])).stdout.trim();
    expect((await dev.call("create_type", { name: "later", schema: true })).status).toBe(200);
    for (const where of [[], ["--database-url", `file:${file()}`]]) {
      const run = await dev.opctl(["audit", "verify", "--head", head, ...where]);
      expect(run, run.stdout).toMatchObject({ code: 0 });
      const seq = Number(head.split(":")[0]) + 1;
      expect(run.stdout).toMatch(new RegExp(`^${seq} changes hold; the head is ${seq}:[0-9a-f]{64}\n$`));
    }
    const json = await dev.opctl(["audit", "verify", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, broken: null });
  });

  it("needs only the scope to read the registry", async () => {
    const make = async (name: string, scope: string): Promise<string> =>
      (await dev.opctl(["token", "create", name, "--scope", scope])).stdout.trim();
    const [reader, caller] = [await make("auditor", "registry:read"), await make("caller", "ops:invoke")];
    expect((await dev.opctl(["audit", "verify", "--token", reader])).code).toBe(0);
    expect((await dev.opctl(["audit", "verify", "--token", caller])).code).toBe(3);
  });

  it("names what was changed behind the platform's back, exit code 1", async () => {
    const expected = /^change \d+ \(edit operation relay by local-admin\): the content of the entry in force must have/;
    await sql(
      `UPDATE entities SET manifest = json_set(manifest, '$.group', 'forged') WHERE kind || name = 'operationrelay'`,
    );
    for (const where of [[], ["--database-url", `file:${file()}`]]) {
      const run = await dev.opctl(["audit", "verify", ...where]);
      expect(run.code).toBe(1);
      expect(run.stdout).toMatch(expected);
    }
    await sql(
      `UPDATE entities SET manifest = json_set(manifest, '$.group', 'default') WHERE kind || name = 'operationrelay'`,
    );
    await sql(`UPDATE changes SET at = '2020-01-01T00:00:00.000Z' WHERE name = 'relay' AND revision = 2`);
    const json = await dev.opctl(["audit", "verify", "--json"]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      broken: { detail: expect.stringContaining("its hash must be") as string },
    });
  });

  it("finds a log that was cut short only with the head", async () => {
    await sql(`DELETE FROM entities WHERE name IN ('auditor', 'caller'); DELETE FROM token_secrets WHERE name IN ('auditor', 'caller');
      DELETE FROM revisions WHERE name IN ('auditor', 'caller', 'later', 'made_by_relay', 'relay');
      DELETE FROM entities WHERE name IN ('later', 'made_by_relay', 'relay');
      DELETE FROM uses WHERE name = 'relay';
      DELETE FROM changes WHERE seq >= (SELECT min(seq) FROM changes WHERE name = 'relay')`);
    expect((await dev.opctl(["audit", "verify"])).code).toBe(0);
    const run = await dev.opctl(["audit", "verify", "--head", head]);
    expect(run.code).toBe(1);
    expect(run.stdout).toMatch(/^the log must reach change \d+, which was noted; it ends at \d+/);
  });
});
