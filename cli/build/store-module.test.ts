import { beforeEach, expect, test } from "vitest";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Client, RequestOptions } from "../client.ts";
import type { BuiltModule } from "./build-module.ts";
import { storeModule } from "./store-module.ts";

type Row = Record<string, unknown> & { meta: { revision: number; digest: string } };

/** A registry that keeps rows and modules in memory and writes down what it was asked. */
class FakeRegistry implements Client {
  readonly credentials = { url: "http://registry.test", token: "t" };
  readonly rows = new Map<string, Row>();
  readonly code = new Set<string>();
  log: string[] = [];
  /** Runs once, before the next write to an operation: another writer. */
  intruder: (() => void) | undefined;

  open(): Promise<Response> {
    throw new Error("nothing is streamed here");
  }

  tell(): void {
    throw new Error("nobody waits here");
  }

  async request(method: string, route: string, { body, headers = {} }: RequestOptions = {}) {
    this.log.push(`${method} ${route}`);
    const hash = /^\/modules\/(.+)$/.exec(route)?.[1];
    if (hash !== undefined) {
      if (method === "PUT") this.code.add(hash);
      if (!this.code.has(hash)) throw new SwitchyardError("module_not_found", "Cannot find it");
      return answer({ sha256: hash });
    }
    if (method === "GET") return answer(this.#find(route));
    if (route.includes("/operations/")) {
      this.intruder?.();
      this.intruder = undefined;
    }
    const before = this.rows.get(route);
    if (headers["if-none-match"] === "*" && before) throw new SwitchyardError("entity_exists", "Cannot create it");
    if (headers["if-match"] !== undefined && headers["if-match"] !== `"${before?.meta.digest}"`) {
      throw new SwitchyardError("precondition_failed", "Cannot write it");
    }
    const manifest = JSON.parse(String(body)) as Record<string, unknown>;
    return answer(this.write(route, method === "PATCH" ? { ...this.#find(route), ...manifest } : manifest));
  }

  write(route: string, manifest: Record<string, unknown>): Row {
    const { meta: _, ...content } = manifest;
    const sha = JSON.stringify([content, route.includes("/operations/") ? [...this.code].at(-1) : ""]);
    const before = this.rows.get(route);
    if (before?.meta.digest === sha) return before;
    const row = { ...content, meta: { revision: (before?.meta.revision ?? 0) + 1, digest: sha } };
    this.rows.set(route, row);
    return row;
  }

  #find(route: string): Row {
    const row = this.rows.get(route);
    if (row === undefined) throw new SwitchyardError("entity_not_found", "Cannot find it");
    return row;
  }
}

function answer(value: unknown) {
  return { status: 200, headers: new Headers(), text: JSON.stringify(value) };
}

function built(sha256: string, names = ["echo", "echo2"]): BuiltModule {
  const type = { schema: true };
  return {
    language: "javascript",
    bundle: { code: `// ${sha256}`, sha256, sizeBytes: 10, exports: names, inputs: [] },
    exports: Object.fromEntries(
      names.map((name) => [name, { description: `It is ${name}.`, input: type, output: type }]),
    ),
    export: "echo",
    warnings: [],
    files: [],
  };
}

const target = { operation: "demo", module: "echo" };
let registry: FakeRegistry;
beforeEach(() => {
  registry = new FakeRegistry();
});

test("storeModule() writes code, module and operation in that order", async () => {
  const { uploaded, change, operation } = await storeModule(registry, built("aa"), target);
  expect({ uploaded, change, revision: operation.meta.revision }).toEqual({
    uploaded: true,
    change: "created",
    revision: 1,
  });
  expect(registry.log.filter((line) => !/^(?:GET|HEAD)/.test(line))).toEqual([
    "PUT /modules/aa",
    "PUT /registry/modules/echo",
    "PUT /registry/operations/demo",
  ]);
  expect(registry.rows.get("/registry/operations/demo")).toMatchObject({
    implemented_at: "echo:echo",
    description: "It is echo.",
  });
});

test("storeModule() uploads nothing and changes nothing when all of it is stored", async () => {
  await storeModule(registry, built("aa"), target);
  registry.log = [];
  const again = await storeModule(registry, built("aa"), target);
  expect(again).toMatchObject({ uploaded: false, change: "unchanged" });
  expect(registry.log.join()).not.toContain("/modules/aa");
});

test("storeModule() uploads nothing when only the code is stored", async () => {
  registry.code.add("aa");
  expect(await storeModule(registry, built("aa"), target)).toMatchObject({ uploaded: false, change: "created" });
});

test("storeModule() keeps the other settings of an existing operation", async () => {
  registry.write("/registry/operations/demo", {
    name: "demo",
    implemented_at: "old:old",
    group: "mine",
    timeout_ms: 5,
    input_type: "my_type",
    network: ["example.com"],
    description: "By hand.",
  });
  const { change } = await storeModule(registry, built("aa"), { ...target, timeoutMs: 9 });
  expect(change).toBe("updated");
  expect(registry.rows.get("/registry/operations/demo")).toMatchObject({
    implemented_at: "echo:echo",
    group: "mine",
    timeout_ms: 9,
    input_type: "my_type",
    network: ["example.com"],
    description: "By hand.",
  });
});

test.for([
  ["edited", { implemented_at: "old:old", group: "theirs" }],
  ["created", undefined],
] as const)("storeModule() reads again when the operation is %s in between", async ([, existing]) => {
  const route = "/registry/operations/demo";
  if (existing !== undefined) registry.write(route, { name: "demo", ...existing });
  registry.intruder = () => registry.write(route, { name: "demo", implemented_at: "other:other", group: "intruder" });
  const { operation } = await storeModule(registry, built("aa"), target);
  expect(operation).toMatchObject({ implemented_at: "echo:echo", group: "intruder" });
});

test("storeModule() warns about exports that the module had before", async () => {
  await storeModule(registry, built("aa"), target);
  const { warnings } = await storeModule(registry, built("bb", ["echo"]), target);
  expect(warnings).toEqual([expect.stringMatching(/"echo" had echo2 before.*--module/)]);
});
