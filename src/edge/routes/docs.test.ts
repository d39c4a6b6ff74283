/** The page's own script, run against elements that are plain objects: what it shows, and what it sends. */
import vm from "node:vm";
import { beforeEach, describe, expect, it } from "vitest";
import { documentText } from "../openapi/document.ts";
import { pieceOf } from "../openapi/operation-item.ts";
import { ROUTES } from "../routes.ts";
import { docs } from "./docs.ts";

type Element = {
  tag: string;
  children: Element[];
  textContent: string;
  value: string;
  id: string;
  append(...nodes: Element[]): void;
  replaceChildren(): void;
  onclick(): Promise<void>;
  onsubmit(event: unknown): void;
};

const HOSTILE = '<img src=x onerror="alert(1)">';
const PERSON = {
  type: "object",
  properties: { person_id: { type: "string" }, tags: { type: "array", items: { type: "string" } } },
  required: ["person_id"],
  additionalProperties: false,
};
const operation = {
  name: "read_person",
  description: HOSTILE,
  group: "people",
  revision: 2,
  isAsync: false,
  batch: false,
  path: "GET /people/{person_id}",
  annotations: null,
  examples: [{ summary: HOSTILE, input: { person_id: "a/b", tags: ["x", "y"] }, output: 1 }],
  input: JSON.stringify(PERSON),
  output: "true",
};
const document = documentText([pieceOf(operation)], { version: "1", server: "x", nextCursor: null, routes: ROUTES });

function makeElement(tag: string): Element {
  const children: Element[] = [];
  const made: Partial<Element> = {
    tag,
    children,
    textContent: "",
    value: "",
    append: (...nodes) => void children.push(...nodes),
    replaceChildren: () => void children.splice(0),
  };
  return made as Element;
}

const all = (node: Element): Element[] => [node, ...node.children.flatMap(all)];

let byId: Record<string, Element>;
let sent: [string, { method?: string; body?: string }][];
beforeEach(async () => {
  const page = await docs().text();
  const script = /<script type="module" nonce="[^"]+">(.*)<\/script>/s.exec(page)?.[1] ?? "";
  byId = Object.fromEntries(["open", "token", "status", "filter", "list"].map((id) => [id, makeElement(id)] as const));
  sent = [];
  const context = {
    document: { getElementById: (id: string) => byId[id], createElement: makeElement },
    fetch: async (path: string, options: { method?: string; body?: string }) => {
      sent.push([path, options]);
      return new Response(path.startsWith("/openapi.json") ? document : '{"ok":true}');
    },
    URLSearchParams,
  };
  vm.runInNewContext(script, context);
  byId["open"]?.onsubmit({ preventDefault() {} });
  for (let turn = 0; turn < 100 && byId["status"]?.textContent === ""; turn++) await new Promise(setImmediate);
  expect(byId["status"]?.textContent).toBe("1 operations");
});

const cards = (): Element[] => byId["list"]?.children ?? [];
const button = (card: Element | undefined): Element => {
  const found = card === undefined ? undefined : all(card).find(({ tag }) => tag === "button");
  if (found === undefined) throw new Error("there is no button");
  return found;
};

describe("the page at /docs", () => {
  it("lets nothing in from elsewhere, and writes nothing but text", async () => {
    const response = docs();
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none'; connect-src 'self'; style-src 'nonce-\w+'; script-src 'nonce-\w+'/);
    const page = await response.text();
    expect(page).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|https?:\/\/|\son\w+=/);
    const texts = cards()
      .flatMap(all)
      .map(({ textContent }) => textContent);
    expect(texts.filter((text) => text.includes(HOSTILE))).toHaveLength(3);
  });

  it("shows an operation by name and at its path, with the row's example in place", async () => {
    const [named, atPath] = cards();
    await button(named).onclick();
    await button(atPath).onclick();
    expect(sent.slice(1)).toEqual([
      ["/ops/read_person", expect.objectContaining({ method: "POST" })],
      ["/people/a%2Fb?tags=x&tags=y", expect.objectContaining({ method: "GET" })],
    ]);
    expect(JSON.parse(sent[1]?.[1].body ?? "")).toEqual({ person_id: "a/b", tags: ["x", "y"] });
    expect(sent[2]?.[1].body).toBeUndefined();
  });
});
