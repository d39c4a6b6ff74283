/** Carries one step of a plan out. Every write is bound to the state that was planned on: a lost race is a conflict. */
import type { Client } from "../client.ts";
import { createEntry, deleteEntry, patchEntry, replaceEntry, type Read } from "../registry.ts";
import type { Document } from "./load.ts";
import type { Step } from "./plan.ts";

/** The entry as it is now; undefined after a delete. */
export async function carryOut(client: Client, step: Step): Promise<Read | undefined> {
  if (step.action === "unchanged") return step.read;
  if (step.action === "delete") {
    await deleteEntry(client, step.kind, step.entry.name, `"${step.entry.meta.digest}"`);
    return undefined;
  }
  await storeCode(client, step.document);
  return write(client, step);
}

async function write(client: Client, step: Step & { action: "create" | "change" }): Promise<Read> {
  const { document } = step;
  if (step.action === "create") return createEntry(client, document.kind, document.content);
  const { read, patch } = step;
  if (patch === undefined) return replaceEntry(client, document.kind, document.content, read.etag);
  return patchEntry(client, document.kind, document.name, patch, read.etag);
}

/** Code goes first: a module's row may only point at code that is stored. */
async function storeCode(client: Client, { code }: Document): Promise<void> {
  if (code === undefined) return;
  await client.request("PUT", `/modules/${code.sha256}`, {
    body: code.bytes,
    headers: { "content-type": "text/javascript" },
  });
}
