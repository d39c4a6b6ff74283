/**
 * An artifact's bytes to a file or to stdout. The file appears under its name only when it is whole and has the
 * SHA-256 that the platform recorded; what goes to stdout is checked too, and a mismatch is the last thing said.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { SwitchyardError } from "../../src/core/errors.ts";
import type { Context } from "../command.ts";
import { artifactRoute } from "./api.ts";

type Part = Uint8Array;
type Sink = (part: Part) => Promise<unknown>;
type Fetched = { size: number; sha256: string };

export async function fetchArtifact(
  context: Pick<Context, "client" | "output">,
  id: string,
  { file, force }: { file: string | undefined; force: boolean },
): Promise<void> {
  const route = artifactRoute(id);
  if (file !== undefined && !force) refuseTaken(file);
  const response = await context.client.open("GET", route);
  try {
    if (file === undefined) {
      if (context.output.terminal) refuseBinary(response, id);
      await pass(response, id, (part) => context.output.bytes(part));
      return;
    }
    const { size, sha256 } = await writeFile(response, id, file);
    if (context.output.json) context.output.value({ artifact_id: id, file, size_bytes: size, sha256 });
    else context.output.say(`${file}: ${size} bytes, sha256 ${sha256}`);
  } catch (error) {
    await response.body?.cancel().catch(() => undefined); // Refused or broken: the rest is not fetched.
    throw error;
  }
}

function refuseTaken(file: string): void {
  if (!existsSync(file)) return;
  throw new SwitchyardError("usage", `Cannot write to "${file}": it must not be there yet; it is`, {
    hint: "--force replaces a file.",
  });
}

/** In the same folder, so that taking its name is one step. */
async function writeFile(response: Response, id: string, file: string): Promise<Fetched> {
  const temporary = `${file}.${randomUUID().slice(0, 8)}.part`;
  const refuse = (error: unknown): never => {
    throw cannotWrite(file, error);
  };
  const handle = await open(temporary, "wx").catch(refuse);
  try {
    const fetched = await pass(response, id, (part) => handle.writeFile(part).catch(refuse));
    await handle.sync().catch(refuse);
    await handle.close();
    await rename(temporary, file).catch(refuse);
    return fetched;
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

function cannotWrite(file: string, cause: unknown): SwitchyardError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SwitchyardError("usage", `Cannot write to "${file}": its folder must be there and writable; ${reason}`, {
    cause,
  });
}

async function pass(response: Response, id: string, sink: Sink): Promise<Fetched> {
  const hash = createHash("sha256");
  let size = 0;
  const parts: AsyncIterable<Part> | Part[] = response.body ?? [];
  try {
    for await (const part of parts) {
      hash.update(part);
      size += part.length;
      await sink(part);
    }
  } catch (error) {
    if (error instanceof SwitchyardError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SwitchyardError(
      "platform_unreachable",
      `Cannot fetch the artifact ${id}: the connection broke after ${size} bytes; ${reason}`,
      { hint: "Nothing is kept of it. Run the same command again.", cause: error },
    );
  }
  const sha256 = hash.digest("hex");
  const wanted = /"([0-9a-f]{64})"/.exec(response.headers.get("etag") ?? "")?.[1];
  if (wanted === undefined) {
    throw new SwitchyardError(
      "unexpected_answer",
      `Cannot check the artifact ${id}: the answer's ETag must be its SHA-256; it is ${response.headers.get("etag") ?? "missing"}`,
    );
  }
  if (wanted !== sha256) {
    throw new SwitchyardError(
      "payload_lost",
      `Cannot accept the artifact ${id}: its SHA-256 must be ${wanted}; that of what came is ${sha256}`,
    );
  }
  return { size, sha256 };
}

function refuseBinary(response: Response, id: string): void {
  const type = (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
  if (/^text\/|[/+](?:json|xml|yaml)$|^application\/(?:javascript|x-ndjson|x-yaml)$/.test(type)) return;
  throw new SwitchyardError(
    "usage",
    `Cannot show the artifact ${id} on a terminal: it must be text; it is ${type === "" ? "of no known type" : type}`,
    { hint: `opctl artifact get ${id} FILE writes it to a file; a pipe takes it as it is.` },
  );
}
