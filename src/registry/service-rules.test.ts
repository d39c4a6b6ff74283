/** What the rows of services, exposures, state machines and the operations that services provide are refused for. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Principal } from "../model/principal.ts";
import type { Scope } from "../model/scope.ts";
import { fixture, HOSTING, storeModule, type Fixture } from "./_fixture.node.ts";
import type { Json } from "./schema.ts";

let base: Fixture;
beforeAll(async () => {
  base = await fixture({ builtins: true, adapters: HOSTING });
  await base.run("create_environment", { name: "lab", adapter: "hosts", capabilities: { memory_mb: 512 } });
  await base.run("create_environment", { name: "lan", adapter: "leads" });
  await base.run("create_secret", { name: "key", value: "first", groups: ["default"] });
  await base.run("create_secret", { name: "other", value: "x", groups: ["bank"] });
  await storeModule(base, "echo");
  for (const name of ["begin", "end"]) await base.run("create_operation", { name, implemented_at: "echo:echo" });
  await base.run("create_operation", { name: "banker", group: "bank", implemented_at: "echo:echo" });
  await base.run("create_operation", { name: "busy", implemented_at: "echo:echo", input_type: LIMIT });
  await base.run("create_service", { ...SERVICE, name: "albums" });
  await base.run("create_exposure", { name: "door", service: "albums" });
});
afterAll(() => base.close());

const LIMIT: Json = {
  type: "object",
  properties: { limit: { type: "integer" } },
  required: ["limit"],
  additionalProperties: false,
};
const PROCESS = { process: { command: ["serve"] } };
const SERVICE: Json = { name: "sample", environment: "lab", run: PROCESS };
const AT: Json = { name: "sample", environment: "lan", run: { address: "http://10.0.0.7:8080" } };
const OWN: Json = { name: "sample", environment: "lab", run: null, operations: { start: "begin", stop: "end" } };
const holding = (...scopes: Scope[]): Principal => ({ id: "p", name: "p", scopes });

type Refusal = [pointer: string, detail: RegExp];
async function expectRefusal(write: Promise<unknown>, [pointer, detail]: Refusal): Promise<void> {
  await expect(write).rejects.toMatchObject({
    message: expect.stringMatching(detail) as string,
    errors: expect.arrayContaining([expect.objectContaining({ pointer })]) as unknown,
  });
}

describe("a service", () => {
  test.each<[string, Json]>([
    [
      "that is a process",
      { ...SERVICE, variables: { A: "b" }, secrets: { KEY: "key" }, port: 8080, requires: { memory_mb: 512 } },
    ],
    ["that is a container", { ...SERVICE, run: { container: { image: "nginx" } } }],
    ["that runs already", AT],
    ["that runs already, one by the row", { ...AT, replicas: { min: 1, max: 1 } }],
    ["that operations of the team's own start", OWN],
    ["that those start from what it says", { ...SERVICE, operations: { start: "begin" } }],
    ["that asks for its health by a path", { ...SERVICE, health: { path: "/healthz" } }],
  ])("%s is stored", async (_what, manifest) => {
    expect(await base.run("put_service", manifest)).toMatchObject({ name: "sample" });
    await base.run("delete_service", { name: "sample" });
  });

  test.each<[string, Json, Refusal]>([
    ["an environment that is not there", { ...SERVICE, environment: "none" }, ["/environment", /must be registered/]],
    [
      "a place that runs no services",
      { ...SERVICE, environment: "inline" },
      ["/environment", /"inline" runs no services/],
    ],
    [
      "a place that runs others",
      { ...SERVICE, environment: "lan" },
      ["/environment", /sort "process"; "leads" runs address/],
    ],
    ["an address where places run processes", { ...AT, environment: "lab" }, ["/environment", /sort "address"/]],
    [
      "its own operations at no place for services",
      { ...OWN, environment: "inline" },
      ["/environment", /must run services/],
    ],
    [
      "what its environment lacks",
      { ...SERVICE, requires: { memory_mb: 1024 } },
      ["/requires", /memory_mb=1024; it has 512/],
    ],
    [
      "a state machine that is not there",
      { ...SERVICE, state_machine: "none" },
      ["/state_machine", /must be registered/],
    ],
    ["nothing that runs", { ...SERVICE, run: null }, ["/run", /they are start_replica and stop_replica/]],
    ["nothing that stops it", { ...OWN, operations: { start: "begin" } }, ["/run", /begin and stop_replica/]],
    [
      "more at least than at most",
      { ...SERVICE, replicas: { min: 6 } },
      ["/replicas/min", /at most replicas.max, 5; it is 6/],
    ],
    ["PORT", { ...SERVICE, variables: { PORT: "1" } }, ["/variables/PORT", /set by the platform/]],
    ["PORT as a secret", { ...SERVICE, secrets: { PORT: "key" } }, ["/secrets/PORT", /set by the platform/]],
    [
      "the platform's own",
      { ...SERVICE, variables: { SWITCHYARD_REPLICA: "1" } },
      ["/variables/SWITCHYARD_REPLICA", /set by/],
    ],
    ["a variable twice", { ...SERVICE, variables: { A: "1" }, secrets: { A: "key" } }, ["/variables/A", /is in both/]],
    ["a secret of others", { ...SERVICE, secrets: { A: "other" } }, ["/secrets/A", /groups must include "default"/]],
    ["a secret that is not there", { ...SERVICE, secrets: { A: "none" } }, ["/secrets/A", /must be registered/]],
    [
      "a step that is not there",
      { ...SERVICE, operations: { observe: "none" } },
      ["/operations/observe", /must be registered/],
    ],
    ["a step beyond its scopes", { ...SERVICE, scopes: ["ops:invoke:bank"] }, ["/scopes", /ops:invoke:registry/]],
    ...["http://", "http://u:p@10.0.0.7", "http://10.0.0.7/?a=b", "http://10.0.0.7/#a"].map(
      (address): [string, Json, Refusal] => [
        `the address ${address}`,
        { ...AT, run: { address } },
        ["/run/address", /must be a URL without a user/],
      ],
    ),
    [
      "variables of what runs already",
      { ...AT, variables: { A: "1" } },
      ["/variables", /no effect on what runs already/],
    ],
    ["secrets of what runs already", { ...AT, secrets: { A: "key" } }, ["/secrets", /no effect/]],
    ["a port of what runs already", { ...AT, port: 80 }, ["/port", /must be null; it is 80/]],
    ["needs of what runs already", { ...AT, requires: { gpu: true } }, ["/requires", /no effect/]],
    ["an end of what runs already", { ...AT, stop_ms: 5 }, ["/stop_ms", /must be 10000; it is 5/]],
    ["replicas of what runs already", { ...AT, replicas: { min: 2 } }, ["/replicas", /must be left out/]],
    [
      "a start of what runs already",
      { ...AT, operations: { start: "begin" } },
      ["/operations/start", /operations.start has no effect/],
    ],
    ["variables that nobody is told", { ...OWN, variables: { A: "1" } }, ["/variables", /own operations start/]],
  ])("with %s is refused", async (_what, manifest, refusal) => {
    await expectRefusal(base.run("put_service", manifest), refusal);
  });

  test("is not started by a request to itself", async () => {
    await base.run("put_operation", { name: "own", provided_by: { exposure: "door", path: "/start" } });
    const edit = base.run("edit_service", { name: "albums", patch: { operations: { start: "own" } } });
    await expectRefusal(edit, ["/operations/start", /must not be a request to the service itself/]);
    await base.run("put_service", { ...SERVICE, operations: { start: "own" } });
    await base.run("delete_service", { name: "sample" });
    await base.run("delete_operation", { name: "own" });
  });

  test("has no rights that its writer has not, nor secrets without secrets:use", async () => {
    const writer = holding("registry:write", "ops:invoke:registry");
    await expect(base.run("put_service", SERVICE, writer)).rejects.toMatchObject({ code: "forbidden" });
    const within = { ...SERVICE, scopes: ["ops:invoke:registry"] };
    const withSecret = { ...within, secrets: { KEY: "key" } };
    await expect(base.run("put_service", withSecret, writer)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("secrets:use") as string,
    });
    await base.run("put_service", within, writer);
    await base.run("put_service", withSecret, holding(...writer.scopes, "secrets:use"));
    // Neither may it be bent to other ends, or brought back, by somebody with less than it has.
    await expect(
      base.run("edit_service", { name: "sample", patch: { run: { process: { command: ["other"] } } } }, writer),
    ).rejects.toMatchObject({ code: "forbidden" });
    await base.run("edit_service", { name: "sample", patch: { description: "x" } });
    await expect(base.run("rollback_service", { name: "sample", to: 2 }, writer)).rejects.toMatchObject({
      code: "forbidden",
    });
    await base.run("delete_service", { name: "sample" }, writer);
  });

  test("keeps what it names: its environment, state machine, secret, steps; and it is kept by its exposure", async () => {
    await base.run("put_service", { ...SERVICE, secrets: { KEY: "key" }, operations: { start: "begin" } });
    for (const [kind, name] of [
      ["environment", "lab"],
      ["state_machine", "hot_cold"],
      ["secret", "key"],
      ["operation", "begin"],
      ["operation", "stop_replica"],
      ["service", "albums"],
    ]) {
      await expect(base.run(`delete_${kind}`, { name }), name).rejects.toMatchObject({ code: "entity_in_use" });
    }
    await expectRefusal(base.run("edit_environment", { name: "lab", patch: { adapter: "leads" } }), [
      "/adapter",
      /does not run the service \w+, which is a process/,
    ]);
    await base.run("delete_service", { name: "sample" });
  });
});

describe("an exposure", () => {
  test.each<[string, Json, Refusal]>([
    ["a service that is not there", { service: "none" }, ["/service", /must be registered/]],
    ["a query", { service: "albums", base_path: "/v1?a=b" }, ["/base_path", /must be a path/]],
    ["a way up", { service: "albums", base_path: "/v1/../admin" }, ["/base_path", /must be a path/]],
    ["a field", { service: "albums", base_path: "/{tenant}" }, ["/base_path", /must be a path/]],
    ["a slash at its end", { service: "albums", base_path: "/v1/" }, ["/base_path", /must/]],
  ])("with %s is refused", async (_what, manifest, refusal) => {
    await expectRefusal(base.run("put_exposure", { name: "sample", ...manifest }), refusal);
  });
});

const ALBUM: Json = {
  type: "object",
  properties: { id: { type: "string" }, title: { type: "string" }, tags: { type: "array" }, by: { type: "string" } },
  required: ["id"],
  additionalProperties: false,
};
const get = (request: Json, rest: Json = {}): Json => ({
  name: "sample",
  provided_by: { exposure: "door", method: "GET", path: "/albums/{id}", ...request },
  input_type: ALBUM,
  ...rest,
});

describe("an operation that a service provides", () => {
  test.each<[string, Json]>([
    ["each field at its place", get({ query: ["title", "tags"], headers: { "X-By": "by" } })],
    ["one field as the body", get({ method: "PUT", body: "tags" })],
    ["a part of a segment", get({ path: "/albums/{id}.json" })],
    ["fields of anything at all", get({ path: "/{a}/{b}", query: ["c"] }, { input_type: true })],
    [
      "a required field by another type",
      get({}, { input_type: { $defs: { a: ALBUM }, allOf: [{ $ref: "#/$defs/a" }] } }),
    ],
    ["a path of its own too, and a batch's settings", get({}, { path: "GET /albums/{id}", is_async: true })],
  ])("with %s is stored", async (_what, manifest) => {
    const stored = await base.run("put_operation", manifest);
    expect(stored).toMatchObject({ implemented_at: null, provided_by: { exposure: "door" }, environment: null });
    const { operation } = await base.registry.resolve("sample");
    expect(operation.implementation).toMatchObject({ kind: "service", exposure: "door" });
    await base.run("delete_operation", { name: "sample" });
  });

  test.each<[string, Json, Refusal]>([
    ["an exposure that is not there", get({ exposure: "none" }), ["/provided_by/exposure", /must be registered/]],
    ["a parameter that is no field", get({ path: "/albums/{idd}" }), ["/provided_by/path", /"idd" is none/]],
    ["a parameter that may be missing", get({ path: "/by/{by}" }), ["/provided_by/path", /"by" is not/]],
    ["a brace alone", get({ path: "/albums/{id" }), ["/provided_by/path", /braces in pairs/]],
    ["an empty parameter", get({ path: "/albums/{}" }), ["/provided_by/path", /one is empty/]],
    ["a way up", get({ path: "/albums/{id}/../x" }), ["/provided_by/path", /no segment \. or \.\./]],
    ["a way up in disguise", get({ path: "/albums/{id}/%2E%2e/x" }), ["/provided_by/path", /no segment \. or \.\./]],
    ["a query in its path", get({ path: "/albums/{id}?x=1" }), ["/provided_by/path", /no query/]],
    ["a query that is no field", get({ query: ["title", "year"] }), ["/provided_by/query/1", /"year" is none/]],
    ["a header from no field", get({ headers: { "X-A": "nobody" } }), ["/provided_by/headers/X-A", /"nobody" is none/]],
    [
      "a header of the platform",
      get({ headers: { Host: "by" } }),
      ["/provided_by/headers/Host", /platform does not set/],
    ],
    ["a header twice", get({ headers: { "X-A": "by", "x-a": "title" } }), ["/provided_by/headers/x-a", /named twice/]],
    ["a body that is no field", get({ method: "POST", body: "all" }), ["/provided_by/body", /"all" is none/]],
    ["a body where there is none", get({ body: "tags" }), ["/provided_by/body", /a GET has no body/]],
    ["a field twice", get({ query: ["id"] }), ["/provided_by/query/0", /"id" is named twice/]],
    ["a parameter twice", get({ path: "/{id}/{id}" }), ["/provided_by/path", /"id" is named twice/]],
    ["an environment", get({}, { environment: "lab" }), ["/environment", /must be null; it is "lab"/]],
    ["needs", get({}, { requires: { gpu: true } }), ["/requires", /must be {}/]],
    ["hosts", get({}, { network: ["example.com"] }), ["/network", /only modules/]],
    ["secrets", get({}, { secrets: ["key"] }), ["/secrets", /only modules/]],
    ["code as well", get({}, { implemented_at: "echo:echo" }), ["/implemented_at", /either.*it has both/]],
    ["neither", { name: "sample" }, ["/implemented_at", /either.*it has neither/]],
  ])("with %s is refused", async (_what, manifest, refusal) => {
    await expectRefusal(base.run("put_operation", manifest), refusal);
  });

  test("keeps its exposure, and changes to code and back by one edit each", async () => {
    const first = (await base.run("put_operation", get({}))).meta.revision;
    await expect(base.run("delete_exposure", { name: "door" })).rejects.toMatchObject({ code: "entity_in_use" });
    const edit = (patch: Json) => base.run("edit_operation", { name: "sample", patch });
    await expectRefusal(edit({ implemented_at: "echo:echo" }), ["/implemented_at", /it has both/]);
    await expectRefusal(edit({ provided_by: null }), ["/implemented_at", /it has neither/]);
    const code = await edit({ implemented_at: "echo:echo", provided_by: null });
    expect(code).toMatchObject({
      provided_by: null,
      meta: { resolved: { code_sha256: expect.any(String) as string } },
    });
    await edit({ implemented_at: null, provided_by: { exposure: "door", path: "/albums/{id}" } });
    expect(await edit({ provided_by: { method: "PUT" } })).toMatchObject({
      provided_by: { path: "/albums/{id}", method: "PUT" },
    });
    expect(await edit({ description: "an edit of something else" })).toMatchObject({ provided_by: { method: "PUT" } });
    await base.run("rollback_operation", { name: "sample", to: first + 1 });
    expect((await base.registry.resolve("sample")).operation.implementation).toMatchObject({ kind: "module" });
    expect(await base.run("rollback_operation", { name: "sample", to: first })).toMatchObject({ implemented_at: null });
    await base.run("delete_operation", { name: "sample" });
  });

  test("is held to its request when the type that it names is edited", async () => {
    await base.run("create_type", { name: "album", schema: ALBUM });
    await base.run("put_operation", get({}, { input_type: "album" }));
    await expectRefusal(base.run("edit_type", { name: "album", patch: { schema: { required: ["title"] } } }), [
      "/provided_by/path",
      /the operation "sample" must still be sound.*"id" is not/,
    ]);
    await base.run("delete_operation", { name: "sample" });
    await base.run("delete_type", { name: "album" });
  });
});

const more = { fact: "waiting", op: ">", value: 0 };
const idle = { fact: "idle_seconds", op: ">=", value: 60 };
const MANY = Array.from({ length: 32 }, () => ({ any: Array.from({ length: 16 }, () => more) }));
const machine = (up: unknown, rest: Json = {}): Json => ({
  name: "sample",
  initial: "cold",
  states: { cold: { replicas: 0 }, hot: { replicas: 1 } },
  transitions: [
    { name: "up", from: "cold", to: "hot", when: up },
    { name: "down", from: "hot", to: "cold", when: idle },
  ],
  ...rest,
});

describe("a state machine", () => {
  test.each<[string, Json]>([
    ["a fact", machine(more)],
    [
      "a time of day",
      machine({ all: [more, { fact: "time_of_day", between: ["22:00", "06:00"], time_zone: "Europe/Berlin" }] }),
    ],
    ["an operation", machine({ operation: "busy", input: { limit: 3 } })],
    ["an expression", machine({ any: [more, { expression: "waiting * 2 > replicas" }] })],
  ])("that asks for %s is stored", async (_what, manifest) => {
    await base.run("put_state_machine", manifest);
    await base.run("delete_state_machine", { name: "sample" });
  });

  const when = "/transitions/0/when";
  test.each<[string, Json, Refusal]>([
    ["begins nowhere", machine(more, { initial: "warm" }), ["/initial", /it is to begin in "warm"/]],
    [
      "names no state of its",
      machine(more, { states: { cold: { replicas: 0 } } }),
      ["/transitions/0/to", /"hot" is none/],
    ],
    [
      "has a guard that never holds",
      machine({ all: [more, { fact: "waiting", op: "=", value: 0 }] }),
      [when, /can never be/],
    ],
    ["goes to and fro", machine(idle), ["/transitions/1/when", /to and fro.*idle_seconds = 60/]],
    ["asks too much", machine({ all: MANY }), ["/transitions", /500 .*they ask 513/]],
    ["asks nobody", machine({ operation: "none" }), [`${when}/operation`, /must be registered/]],
    [
      "asks in vain",
      machine({ not: { operation: "busy", input: {} } }),
      [`${when}/not/input`, /must fit the input type/],
    ],
    [
      "asks nonsense",
      machine({ any: [more, { expression: "(" }] }),
      [`${when}/any/1/expression`, /Cannot store the state machine/],
    ],
    [
      "lives nowhere",
      machine({ fact: "time_of_day", between: ["08:00", "18:00"], time_zone: "Mars" }),
      [`${when}/time_zone`, /IANA/],
    ],
    ["takes a number for a truth", machine({ fact: "healthy", op: "=", value: 1 }), [`${when}/value`, /true or false/]],
    ["takes a truth for a number", machine({ fact: "waiting", op: "=", value: true }), [`${when}/value`, /a number/]],
    ["orders truths", machine({ fact: "healthy", op: "<", value: true }), [`${when}/op`, /must be = or !=/]],
    ["takes a number for a time", machine({ fact: "time_of_day", op: ">", value: 8 }), [`${when}/value`, /08:30/]],
  ])("that %s is refused", async (_what, manifest, refusal) => {
    await expectRefusal(base.run("put_state_machine", manifest), refusal);
  });

  test("says all that is wrong with it at once, each at its place", async () => {
    const write = base.run("put_state_machine", machine(idle, { states: { cold: {}, hot: {}, odd: {} } }));
    await expect(write).rejects.toMatchObject({
      code: "definition_invalid",
      errors: [
        expect.objectContaining({ pointer: "/states/odd", keyword: "unreachable" }),
        expect.objectContaining({ pointer: "/transitions/1/when", keyword: "flapping" }),
      ],
    });
  });

  test("that may not be what was meant is stored, and its writer is told once", async () => {
    const trap = {
      ...machine(more),
      transitions: [{ name: "up", from: "cold", to: "hot", when: { operation: "begin" } }],
    };
    const { meta } = await base.run("put_state_machine", trap);
    expect(meta).toMatchObject({
      warnings: [
        { pointer: "/transitions/0/when", keyword: "not_analysed", detail: expect.stringContaining("up") as string },
        { pointer: "/states/hot", keyword: "trap", detail: 'nothing leads out of "hot"' },
      ],
    });
    expect((await base.run("get_state_machine", { name: "sample" })).meta).not.toHaveProperty("warnings");
    await base.run("delete_state_machine", { name: "sample" });
  });

  test("a service is warned of variables that look like secrets, and shown how to hide them", async () => {
    const variables = { API_KEY: "k", MONKEY: "m", db_password: "p", KEYBOARD: "q" };
    const { meta } = await base.run("put_service", { ...SERVICE, name: "open", variables });
    expect(meta).toMatchObject({
      warnings: [
        { pointer: "/variables/API_KEY", detail: expect.stringContaining("secrets.API_KEY=NAME") as string },
        { pointer: "/variables/db_password", keyword: "secret_shown" },
      ],
    });
    await base.run("delete_service", { name: "open" });
  });

  test("and its services go together, whichever of the two is written", async () => {
    const many = machine(more, { states: { cold: { replicas: 0 }, hot: { replicas: 7 } } });
    await base.run("put_state_machine", many);
    await expectRefusal(base.run("put_service", { ...SERVICE, state_machine: "sample" }), [
      "/replicas/max",
      /may have 5, .*"hot".*wants 7/,
    ]);
    await base.run("put_service", { ...SERVICE, state_machine: "sample", replicas: { max: 7 } });
    const eight = base.run("edit_state_machine", { name: "sample", patch: { states: { hot: { replicas: 8 } } } });
    await expectRefusal(eight, ["/states/hot/replicas", /the service "sample".*may have 7, .*wants 8/]);
    await base.run("edit_state_machine", { name: "sample", patch: { states: { hot: { replicas: 2 } } } });
    await expectRefusal(base.run("put_service", { ...AT, state_machine: "sample" }), [
      "/replicas/max",
      /may have 1, .*wants 2/,
    ]);

    // What a requirement asks is asked with the service's rights.
    await base.run("put_service", { ...SERVICE, state_machine: "sample", scopes: ["ops:invoke:registry"] });
    const asks = { transitions: machine({ operation: "banker" })["transitions"] };
    await expectRefusal(base.run("edit_state_machine", { name: "sample", patch: asks }), [
      `${when}/operation`,
      /start "banker"/,
    ]);
    await base.run("put_service", { ...SERVICE, state_machine: "sample" });
    // So nobody lends themselves these by what they write into its state machine.
    const edit = base.run("edit_state_machine", { name: "sample", patch: asks }, holding("registry:write"));
    await expect(edit).rejects.toMatchObject({ code: "forbidden" });
    await base.run("edit_state_machine", { name: "sample", patch: asks });
    await expectRefusal(base.run("edit_service", { name: "sample", patch: { scopes: ["ops:invoke:registry"] } }), [
      "/scopes",
      /start "banker"/,
    ]);
    await expect(base.run("delete_operation", { name: "banker" })).rejects.toMatchObject({ code: "entity_in_use" });
    await expect(base.run("delete_state_machine", { name: "sample" })).rejects.toMatchObject({ code: "entity_in_use" });
    await base.run("delete_service", { name: "sample" });
    await base.run("delete_state_machine", { name: "sample" });
  });
});

test("the log of changes tells of all three kinds, and holds", async () => {
  const { items } = await base.run("list_change", { limit: 1_000 });
  const kinds = (items as { kind: string }[]).map(({ kind }) => kind);
  expect(kinds).toEqual(expect.arrayContaining(["state_machine", "service", "exposure"]));
  expect(await base.run("verify_audit", { limit: 1_000 })).toMatchObject({ broken: null });
});
