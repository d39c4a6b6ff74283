/** Names that resolve as a test says, for one process and its children: a hosts file of its own, which only root can mount. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./_platform.ts";

/** Words to be put before a command; undefined: this machine does not let us. */
export function withNames(names: Readonly<Record<string, readonly string[]>>): readonly string[] | undefined {
  const file = path.join(temporaryFolder(), "hosts");
  const lines = Object.entries(names).flatMap(([name, addresses]) => addresses.map((address) => `${address} ${name}`));
  writeFileSync(file, ["127.0.0.1 localhost", ...lines, ""].join("\n"));
  const words = ["unshare", "--mount", "sh", "-c", `mount --bind '${file}' /etc/hosts && exec "$@"`, "sh"];
  const { status } = spawnSync(words[0]!, [...words.slice(1), "true"]);
  return status === 0 ? words : undefined;
}
