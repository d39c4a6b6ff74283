/**
 * The Idempotency-Key header. Taken bare (`order-42`) and as the structured string that the IETF draft
 * draft-ietf-httpapi-idempotency-key-header asks for (`"order-42"`); both are the same key. A key that cannot be read is
 * refused: to go on without it would run the call twice.
 */
import { SwitchyardError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";

/** Visible ASCII without `"` and `\`, which would make a damaged string look like a key of its own. */
const BARE = /^[!#-[\]-~]+$/;
/** sf-string (RFC 8941, 3.3.3) without spaces. */
const QUOTED = /^"((?:[!#-[\]-~]|\\["\\])+)"$/;

/** Throws bad_request. */
export function parseIdempotencyKey(header: string | null): string | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  const key = BARE.test(text) ? text : QUOTED.exec(text)?.[1]?.replaceAll(/\\(.)/g, "$1");
  if (key !== undefined && key.length <= LIMITS.idempotencyKeyChars) return key;
  const actual = key === undefined ? JSON.stringify(text.slice(0, 100)) : `${key.length} characters long`;
  throw new SwitchyardError(
    "bad_request",
    `Cannot read the header Idempotency-Key: it must be 1 to ${LIMITS.idempotencyKeyChars} visible ASCII characters, bare or as one string in double quotes; it is ${actual}`,
  );
}
