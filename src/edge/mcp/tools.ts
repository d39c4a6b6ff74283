/**
 * Lists of tools, a page at a time. A rendered tool is kept by the name and digest of its operation, so it never gets old; which ones
 * are on a page is kept for as long as the registry's revision stands still.
 */
import type { Tool } from "@modelcontextprotocol/server";
import type { Selection } from "../../registry/select.ts";
import { Lru } from "../../registry/lru.ts";
import type { Registry } from "../../registry/registry.ts";
import { toTool } from "./tool.ts";

/** A page ends at whichever comes first. */
const PAGE_TOOLS = 500;
const PAGE_CHARS = 1024 * 1024;

type Rendered = { tool: Tool; chars: number };
type Listed = { name: string; digest: string };
type ListingPort = Pick<Registry, "known" | "selectOperations" | "describeOperations">;

export class Tools {
  readonly #registry: ListingPort;
  readonly #rendered = new Lru<Rendered>({ maxEntries: 10_000, maxBytes: 32 * 1024 * 1024 });
  readonly #listed = new Lru<{ revision: number; rows: Listed[] }>({ maxEntries: 1_000, maxBytes: 8 * 1024 * 1024 });

  constructor(registry: ListingPort) {
    this.#registry = registry;
  }

  /** In the order of names; `cursor` is the last name of the page before. */
  async page(selection: Selection, cursor: string | undefined): Promise<{ tools: Tool[]; nextCursor?: string }> {
    const listed = await this.#select(selection, cursor);
    const rows = listed.slice(0, PAGE_TOOLS);
    const known = await this.#renderedOf(rows);
    const tools: Tool[] = [];
    let chars = 0;
    let last: string | undefined;
    for (const { name } of rows) {
      const rendered = known.get(name);
      if (rendered !== undefined) {
        if (tools.length > 0 && chars + rendered.chars > PAGE_CHARS)
          return { tools, ...(last && { nextCursor: last }) };
        tools.push(rendered.tool);
        chars += rendered.chars;
      }
      last = name;
    }
    return listed.length > rows.length && last !== undefined ? { tools, nextCursor: last } : { tools };
  }

  async #select(selection: Selection, cursor: string | undefined): Promise<Listed[]> {
    const key = JSON.stringify([selection, cursor]);
    // Before the rows: they may be newer than it, never older.
    const revision = await this.#registry.known();
    const kept = this.#listed.get(key);
    if (kept?.revision === revision) return kept.rows;
    const rows = await this.#registry.selectOperations({ ...selection, limit: PAGE_TOOLS + 1, cursor });
    this.#listed.set(key, { revision, rows }, key.length + 200 * rows.length);
    return rows;
  }

  /** By name. One that went away meanwhile is missing; one that was edited is as it is now. */
  async #renderedOf(rows: readonly Listed[]): Promise<Map<string, Rendered>> {
    const known = new Map<string, Rendered>();
    const missing: string[] = [];
    for (const { name, digest } of rows) {
      const rendered = this.#rendered.get(`${name} ${digest}`);
      if (rendered === undefined) missing.push(name);
      else known.set(name, rendered);
    }
    if (missing.length === 0) return known;
    for (const { digest, operation } of await this.#registry.describeOperations({ names: missing })) {
      const tool = toTool(operation);
      const rendered = { tool, chars: JSON.stringify(tool).length };
      this.#rendered.set(`${operation.name} ${digest}`, rendered, 2 * rendered.chars);
      known.set(operation.name, rendered);
    }
    return known;
  }
}
