/**
 * Pictures of times (`[Y0001]-[M01]-[D01]`), which JSONata turns into a native regular expression to read a text by.
 * Two parts of open length with nothing between them can share out a text in many ways, and a dozen in billions.
 */

/** Where one part ends must be plain from the next, but for two places at most. */
const MOST_OPEN = 2;

export function isDefinitePicture(picture: string): boolean {
  const parts = [...picture.matchAll(/\[\[|\[([^\]]*)\]|[^[]+/g)].map(([text, marker]) => ({ text, marker }));
  let open = 0;
  for (const [index, { marker }] of parts.entries()) {
    const next = parts[index + 1];
    if (marker !== undefined && next !== undefined && mayRunInto(marker.replaceAll(/\s/g, ""), next)) open++;
  }
  return open <= MOST_OPEN;
}

function mayRunInto(marker: string, next: { text: string; marker: string | undefined }): boolean {
  const numeric = !/^.[A-Za-z]/.test(marker) && !/^[FPCE]$/.test(marker);
  if (next.marker === undefined) return (numeric ? /^\d/ : /^[A-Za-z ,-]/).test(next.text);
  // Before another number JSONata takes exactly as many digits as the picture demands, if it demands any.
  if (numeric && /^[YMDdFWwXxHhms]/.test(marker) && /^[YMDdFWwXxHhmsf]/.test(next.marker)) {
    return !/^.[#,]*[0-9]/.test(marker);
  }
  return !/^[Zz]/.test(next.marker) || !numeric;
}
