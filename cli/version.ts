/** The version of this package. */
import { readFileSync } from "node:fs";

/** cli/ and dist/ are both one folder below package.json. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}
