/**
 * What `deploy` writes, in an order that never leaves a row pointing at nothing: the code, the module's row, the
 * operation. Each step is left out when the registry already has its result.
 */
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Client } from "../client.ts";
import { createEntry, findEntry, patchEntry, replaceEntry, type Entry, type JsonObject } from "../registry.ts";
import type { BuiltModule } from "./build-module.ts";

export type DeployTarget = {
  operation: string;
  module: string;
  group?: string | undefined;
  timeoutMs?: number | undefined;
  environment?: string | undefined;
};

export type Deployed = {
  operation: Entry;
  module: Entry;
  uploaded: boolean;
  change: "created" | "updated" | "unchanged";
  warnings: string[];
};

export async function storeModule(client: Client, built: BuiltModule, target: DeployTarget): Promise<Deployed> {
  const before = await findEntry(client, "module", target.module);
  const uploaded = await uploadCode(client, built, before?.entry["sha256"]);
  const manifest = {
    name: target.module,
    description: before?.entry["description"] ?? "",
    language: built.language,
    sha256: built.bundle.sha256,
    exports: built.exports,
  };
  const module = await replaceEntry(client, "module", manifest, before?.etag);
  const { operation, change } = await storeOperation(client, built, target);
  return { operation, module: module.entry, uploaded, change, warnings: lostExports(before?.entry, built, target) };
}

/** True when the bytes had to be sent. */
async function uploadCode(client: Client, { bundle }: BuiltModule, storedSha256: unknown): Promise<boolean> {
  if (storedSha256 === bundle.sha256) return false;
  const route = `/modules/${bundle.sha256}`;
  try {
    await client.request("HEAD", route);
    return false;
  } catch (error) {
    // Whatever the reason is, the upload meets it too, and gets an answer with a body.
    if (!(error instanceof SwitchyardError) || error.code === "platform_unreachable") throw error;
  }
  await client.request("PUT", route, {
    body: new TextEncoder().encode(bundle.code),
    headers: { "content-type": "text/javascript" },
  });
  return true;
}

/** Creates it, or points the existing one at the code and leaves its other settings as they are. */
async function storeOperation(
  client: Client,
  built: BuiltModule,
  target: DeployTarget,
): Promise<{ operation: Entry; change: Deployed["change"] }> {
  const settings: JsonObject = {
    implemented_at: `${target.module}:${built.export}`,
    ...(target.group === undefined ? {} : { group: target.group }),
    ...(target.timeoutMs === undefined ? {} : { timeout_ms: target.timeoutMs }),
    ...(target.environment === undefined ? {} : { environment: target.environment }),
  };
  for (let attempt = 1; ; attempt++) {
    const before = await findEntry(client, "operation", target.operation);
    try {
      if (before === undefined) {
        const description = built.exports[built.export]?.description ?? "";
        const created = await createEntry(client, "operation", { name: target.operation, description, ...settings });
        return { operation: created.entry, change: "created" };
      }
      const { entry } = await patchEntry(client, "operation", target.operation, settings, before.etag);
      return {
        operation: entry,
        change: entry.meta.revision === before.entry.meta.revision ? "unchanged" : "updated",
      };
    } catch (error) {
      const raced =
        error instanceof SwitchyardError && (error.code === "precondition_failed" || error.code === "entity_exists");
      if (!raced || attempt === 3) throw error;
    }
  }
}

function lostExports(before: Entry | undefined, built: BuiltModule, target: DeployTarget): string[] {
  const lost = Object.keys((before?.["exports"] as object | undefined) ?? {}).filter(
    (name) => !Object.hasOwn(built.exports, name),
  );
  if (lost.length === 0) return [];
  return [
    `The module "${target.module}" had ${lost.join(", ")} before, which this file does not export. Operations that use them keep their code until they are edited. If it is another file of the same name, deploy it with --module.`,
  ];
}
