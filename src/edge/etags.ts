/** Entity tags in If-Match and If-None-Match. */

export function tagsOf(header: string): string[] {
  return header.split(",").map((tag) => tag.trim());
}

/** By weak comparison (RFC 9110, 13.1.2): a proxy that compresses an answer weakens its ETag. */
export function isKnown(etag: string, header: string): boolean {
  return tagsOf(header).some((tag) => tag === "*" || tag.replace(/^W\//, "") === etag);
}
