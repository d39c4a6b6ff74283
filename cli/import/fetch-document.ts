/** A document at an address. No token of the platform's goes there. */
import { SwitchyardError } from "../../src/core/errors.ts";

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 32 * 1024 * 1024;

/** Throws usage. */
export async function fetchDocument(url: string): Promise<string> {
  const refuse = (reason: string, cause?: unknown): SwitchyardError =>
    new SwitchyardError("usage", `Cannot read "${url}": it must answer with the document; ${reason}`, {
      cause,
      hint: "Fetch it yourself and give the file, or - for stdin.",
    });
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { accept: "application/json, application/yaml, text/yaml, */*;q=0.5" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw refuse(inner instanceof Error ? inner.message : String(inner), cause);
  }
  if (!response.ok) throw refuse(`it answers ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > MAX_BYTES) throw refuse(`it is larger than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof SwitchyardError) throw cause;
    throw refuse(`it broke off: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return Buffer.concat(chunks).toString("utf8");
}
