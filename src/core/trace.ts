/** W3C Trace Context: `traceparent: 00-<trace id>-<parent id>-<flags>`. The trace id is kept, each hop gets a span id. */
import { toHex } from "./hash.ts";
import { randomBytes } from "./random.ts";

const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})$/;
const NO_TRACE = "0".repeat(32);

/** The traceparent to hand on: the same trace with a new span, or a new trace where none (or a malformed one) came. */
export function continueTrace(incoming: string | null | undefined): string {
  const match = incoming == null ? null : TRACEPARENT.exec(incoming);
  if (match?.[1] === undefined || match[1] === NO_TRACE) {
    return `00-${toHex(randomBytes(16))}-${toHex(randomBytes(8))}-01`;
  }
  return `00-${match[1]}-${toHex(randomBytes(8))}-${match[2]}`;
}
