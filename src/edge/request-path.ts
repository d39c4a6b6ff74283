/**
 * A request's path as its segments, each decoded once, so that `%2F` in a segment is a part of it. Taken from the request
 * as it was sent: what reads a URL for us would resolve or decode more.
 */
import { SwitchyardError } from "../core/errors.ts";

/** Throws bad_request for what is no percent-encoded UTF-8. */
export function pathSegments(url: string): string[] {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.slice(start).search(/[?#]/);
  const path = start === -1 ? "/" : end === -1 ? url.slice(start) : url.slice(start, start + end);
  return path
    .slice(1)
    .split("/")
    .map((segment) => {
      if (!segment.includes("%")) return segment;
      try {
        return decodeURIComponent(segment);
      } catch {
        throw new SwitchyardError(
          "bad_request",
          `Cannot read the path: it must be percent-encoded UTF-8; a segment is "${segment.slice(0, 100)}"`,
        );
      }
    });
}
