/** What a newcomer types, word for word, against the real platform as `npm start` runs it. */
import { validate } from "@hyperjump/json-schema/openapi-3-1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDev, type Dev } from "./_platform.ts";

let dev: Dev;

beforeAll(async () => {
  dev = await startDev({ args: ["--examples"] });
});
afterAll(() => dev.stop());

/** Runs a command line that has no quoting but '…', and answers its standard output. */
async function opctl(line: string): Promise<string> {
  const words = (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ""));
  const ran = await dev.opctl(words);
  expect(ran, `opctl ${line}\n${ran.stderr}`).toMatchObject({ code: 0 });
  return ran.stdout.trim();
}

describe("the newcomer's transcript", () => {
  it("starts with the examples registered and one called", () => {
    expect(dev.output()).toMatch(/echo/);
    expect(dev.output()).toContain('{"output_str":');
  });

  it("deploys, calls, edits, duplicates, rolls back, chains — as written", async () => {
    await opctl("deploy examples/echo.ts#echo --name my_demo_operation");
    expect(await opctl("call my_demo_operation input_str=hi")).toBe('{"output_str":"hi"}');

    const row = await opctl("get operations my_demo_operation -a name -a input_type -a output_type");
    expect(row).toMatch(/my_demo_operation\s+echo_input\s+echo_output\b/);
    expect(await opctl("describe type echo_input")).toContain("input_str");

    await opctl("edit operation my_demo_operation -s implemented_at=echo:echo2");
    expect(await opctl("call my_demo_operation input_str=hi")).toBe('{"output_str":"hi","output_len":2}');
    expect(await opctl("get operations my_demo_operation -a output_type")).toContain("echo_output2");

    await opctl(
      `edit operation my_demo_operation -s 'output_type={"name":"echo_output_2","attributes":{"output_str":{"data_type":"string"},"output_len":{"data_type":"int"}}}'`,
    );
    expect(await opctl("get operations my_demo_operation -a output_type")).toContain("echo_output_2");
    expect(await opctl("call my_demo_operation input_str=hi")).toBe('{"output_str":"hi","output_len":2}');

    await opctl("duplicate operation my_demo_operation -s name=shout_demo -s timeout_ms=1000");
    expect(JSON.parse(await opctl("get operations shout_demo --json"))).toMatchObject({
      name: "shout_demo",
      timeout_ms: 1000,
    });
    await opctl("rollback operation my_demo_operation --to 1");
    expect(await opctl("call my_demo_operation input_str=hi")).toBe('{"output_str":"hi"}');

    const listed = JSON.parse(await opctl(`call list_operation 'name={"op":"$eq","value":"my_demo_operation"}'`)) as {
      items: unknown[];
    };
    expect(listed.items).toMatchObject([{ name: "my_demo_operation", meta: { revision: 4 } }]);
    expect(JSON.parse(await opctl(`chain 'echo(input_str="hi") | shout'`))).toEqual({ output_str: "HI!" });
  });

  it("lists the newcomer's own rows, and the built-in ones on request", async () => {
    const own = await opctl("get operations");
    expect(own).toContain("my_demo_operation");
    expect(own).not.toContain("create_token");
    expect(await opctl("get operations --all")).toContain("create_token");
    expect(await opctl("get operations --filter name=create_token")).toContain("create_token");
  });

  it("answers the newcomer's curl with the token that opctl shows", async () => {
    const token = await opctl("token show");
    const response = await fetch(`${dev.url}/ops/my_demo_operation`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: '{"input_str":"hi"}',
    });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('{"output_str":"hi"}');
    expect(response.headers.get("execution-id")).toMatch(/^ex_/);
    expect(response.headers.get("operation-revision")).toBe("4");
    expect(response.headers.get("server-timing")).toContain("run;dur=");
  });

  it("describes every operation in openapi.json with its real types", async () => {
    const document = (await (await dev.request("/openapi.json")).json()) as {
      paths: Record<string, { post?: { requestBody: unknown } }>;
    };
    expect(JSON.stringify(document.paths["/ops/my_demo_operation"]?.post?.requestBody)).toContain("input_str");
    expect(document.paths["/ops/list_operation"]).toBeDefined();
    expect(await validate("https://spec.openapis.org/oas/3.1/schema-base", document as never, "BASIC")).toMatchObject({
      valid: true,
    });
  });

  it("keeps a record of a call that its Execution-Id finds", async () => {
    const { headers } = await dev.call("echo", { input_str: "x" });
    const record = await (await dev.request(`/executions/${headers.get("execution-id")}`)).json();
    expect(record).toMatchObject({ operation: "echo", status: "succeeded", environment: "inline" });
  });
});
