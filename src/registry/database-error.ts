/** What a database can do wrong → the closed table of codes. */
import { LibsqlError } from "@libsql/client/web";
import { SwitchyardError } from "../core/errors.ts";

/** Another writer claimed the same place in the change log: the whole batch was rolled back. */
export function isClash(thrown: unknown): boolean {
  const error = libsqlError(thrown);
  return error !== undefined && error.message.includes("UNIQUE constraint failed: changes.seq");
}

export function fromDatabaseError(thrown: unknown): SwitchyardError {
  if (thrown instanceof SwitchyardError) return thrown;
  const error = libsqlError(thrown);
  const code = error?.code ?? "";
  const reason =
    error?.message ?? (thrown instanceof Error ? (rootCause(thrown)?.message ?? thrown.message) : String(thrown));
  if (/^SQLITE_(READONLY|FULL|PERM|AUTH)/.test(code)) {
    return new SwitchyardError(
      "registry_read_only",
      `Cannot write the registry: its database must be writable; it is not (${reason})`,
      {
        cause: thrown,
      },
    );
  }
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return new SwitchyardError(
      "registry_corrupt",
      `Cannot use the registry: its file must be a sound database; it is damaged (${reason})`,
      {
        hint: "Stop the platform, keep the file, restore a backup; nothing was overwritten",
        cause: thrown,
      },
    );
  }
  // The database answered, and what it says is that we asked wrongly.
  if (/^SQLITE_(ERROR|CONSTRAINT|MISMATCH|MISUSE|RANGE)/.test(code) || code === "SQL_PARSE_ERROR") {
    return new SwitchyardError("internal", `Cannot finish the request: a registry query failed; it is ${reason}`, {
      cause: thrown,
    });
  }
  return new SwitchyardError(
    "registry_unavailable",
    `Cannot reach the registry: its database must answer; it is silent (${reason})`,
    {
      cause: thrown,
    },
  );
}

/** drizzle and the batch wrap what the client threw. */
function libsqlError(thrown: unknown): LibsqlError | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    // By name too: the file client and the web client each bring their own class.
    if (error instanceof LibsqlError || error.name === "LibsqlError" || error.name === "LibsqlBatchError")
      return error as LibsqlError;
  }
  return undefined;
}

function rootCause(error: Error): Error | undefined {
  let root = error;
  while (root.cause instanceof Error) root = root.cause;
  return root;
}
