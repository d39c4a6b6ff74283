/** Opens a registry's database from here, past the platform: for `opctl migrate` and `opctl audit verify`. */
import { fileURLToPath } from "node:url";
import { SwitchyardError } from "../src/core/errors.ts";
import type { Database } from "../src/registry/database.ts";

type Opened = { database: Database; close: () => void };

/** `file:`, or the address of a libSQL server, whose token is read from REGISTRY_AUTH_TOKEN. `verb` is for the refusal. */
export async function openRegistry(url: string, verb: string): Promise<Opened> {
  try {
    return await open(url, verb);
  } catch (error) {
    if (error instanceof SwitchyardError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SwitchyardError("registry_unavailable", `Cannot open the registry "${url}": ${reason}`, {
      hint: "Its folder must exist and be writable; for a server, look at the address.",
      cause: error,
    });
  }
}

async function open(url: string, verb: string): Promise<Opened> {
  if (url.startsWith("file:")) {
    const { openFile } = await import("../src/registry/database.node.ts");
    const { database, client } = await openFile(
      url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length),
    );
    return { database, close: () => client.close() };
  }
  if (!/^(?:libsql|https?):/.test(url)) {
    throw new SwitchyardError(
      "usage",
      `Cannot ${verb} "${url}": the address must begin with libsql:, https:, http: or file:`,
    );
  }
  const { openDatabase } = await import("../src/registry/database.ts");
  const authToken = process.env["REGISTRY_AUTH_TOKEN"];
  return {
    database: openDatabase({ url, timeoutMs: 60_000, ...(authToken ? { authToken } : {}) }),
    close: () => undefined,
  };
}
