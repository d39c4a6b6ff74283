/** The manifests in examples/environments: each is a row that the registry and its adapter take. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fakePorts } from "../../test/contracts/adapter/fake-ports.ts";
import { createAdapters } from "../../src/adapters/index.ts";
import { EnvironmentSchema } from "../../src/model/entities.ts";

const FOLDER = path.join(import.meta.dirname, "../../examples/environments");
const unused = (): never => {
  throw new TypeError("nothing is run here");
};
const adapters = createAdapters({
  ports: fakePorts(),
  executor: { run: unused },
  builtin: unused,
  pool: unused,
  services: { enter: unused },
  telemetry: unused,
  plugins: [],
});

describe("examples/environments", () => {
  it.each(readdirSync(FOLDER))("%s fits the registry and its adapter", (file) => {
    const { kind, ...row } = parse(readFileSync(path.join(FOLDER, file), "utf8")) as Record<string, unknown>;
    expect(kind).toBe("environment");
    const { adapter: name, config, secrets } = v.parse(EnvironmentSchema, row);
    const adapter = adapters.get(name);
    if (adapter === undefined) throw new TypeError(`no adapter ${name}`);
    v.parse(adapter.config, config);
    const needed = Object.entries(adapter.secrets).filter(([, { required }]) => required);
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(needed.map(([secret]) => secret)));
    expect(Object.keys(adapter.secrets)).toEqual(expect.arrayContaining(Object.keys(secrets)));
  });
});
