/** Every example, as it would be deployed: bundled, its types read, and its handler run from the bundle. */
import { globSync } from "node:fs";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { buildModule } from "./build-module.ts";
import { packageFolder } from "./workers.ts";

// Compilers on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const FOLDER = path.join(packageFolder(), "examples");

const ctx = {
  signal: new AbortController().signal,
  log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  call: async (name: string, input: { input_str: string }) => ({ output_str: `${name}: ${input.input_str}` }),
  secrets: { signing_key: "k3y" },
};

type Case = { types: [string | undefined, string | undefined]; input: unknown; output: unknown };

const EXAMPLES: Record<string, Case> = {
  "echo.ts#echo": { types: ["echo_input", "echo_output"], input: { input_str: "hi" }, output: { output_str: "hi" } },
  "echo.ts#echo2": {
    types: ["echo_input", "echo_output2"],
    input: { input_str: "hi" },
    output: { output_str: "hi", output_len: 2 },
  },
  "counters.ts#plus_one": {
    types: ["plus_one_input", "plus_one_output"],
    input: { path: "/counters/a", value: 1 },
    output: { path: "/counters/a", value: 2 },
  },
  "shout.ts#shout": {
    types: ["shout_input", "shout_output"],
    input: { output_str: "hi" },
    output: { output_str: "HI!" },
  },
  "word-count.ts#wordCount": {
    types: ["word_count_input", "word_count_output"],
    input: { text: "The cat and the dog and THE bird", top: 2 },
    output: {
      words: 8,
      most_frequent: [
        { word: "the", count: 3 },
        { word: "and", count: 2 },
      ],
    },
  },
  "slow-demo.ts#slowDemo": {
    types: ["slow_demo_input", "slow_demo_output"],
    input: { n: 2, step_ms: 0 },
    output: { steps: 2 },
  },
  "greet.ts#greet": {
    types: ["greet_input", "greet_output"],
    input: { name: "Ada" },
    output: { greeting: "echo: Hello, Ada!" },
  },
  "price.ts#price": {
    types: [undefined, undefined],
    input: { net_cents: 1000, country: "CH", quantity: 3 },
    output: { gross_cents: 3243, vat_percent: 8.1 },
  },
  "sign.ts#sign": {
    types: ["sign_input", "sign_output"],
    input: { message: "x" },
    // printf x | openssl dgst -sha256 -hmac k3y
    output: { signature: "5009475861b06a539e2abb93495ecf660dc1ab88c86c6149a98060ae419cdb2d" },
  },
  "site-status.ts#siteStatus": {
    types: ["site_status_input", "site_status_output"],
    input: { path: "/about" },
    output: { ok: false, status: 404 },
  },
};

test("every example is tested here", () => {
  const files = new Set(Object.keys(EXAMPLES).map((name) => name.replace(/#.*/, "")));
  expect(files).toEqual(new Set(globSync("*.ts", { cwd: FOLDER })));
});

test.for(Object.entries(EXAMPLES))("the example %s deploys and runs", async ([name, { types, input, output }]) => {
  const [file = "", handler = ""] = name.split("#");
  const built = await buildModule(path.join(FOLDER, file), handler);
  expect(built.warnings).toEqual([]);
  const entry = built.exports[handler];
  expect([entry?.input.name, entry?.output.name]).toEqual(types);
  expect(entry?.description).not.toBe("");
  const fetch = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(null, { status: 404 }));
  const module = (await import(`data:text/javascript,${encodeURIComponent(built.bundle.code)}`)) as Record<
    string,
    (input: unknown, context: unknown) => unknown
  >;
  expect(await module[handler]?.(input, ctx)).toEqual(output);
  for (const [url] of fetch.mock.calls) expect(url).toBe("https://example.com/about");
  fetch.mockRestore();
});
