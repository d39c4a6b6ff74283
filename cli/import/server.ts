/** Where the document says that its API is: only the path counts, before those of its operations. Pure. */
import { isObject, membersOf, type Json } from "./_obstacle.ts";

/** `basePath`: empty or `/path`. */
export function serverOf(root: Json): { basePath: string; notes: string[] } {
  const servers = Array.isArray(root["servers"]) ? root["servers"].filter(isObject) : [];
  const [first] = servers;
  if (first === undefined || typeof first["url"] !== "string") return { basePath: "", notes: [] };
  const url = membersOf(first["variables"]).reduce(
    (text, [name, variable]) =>
      text.replaceAll(`{${name}}`, textOf(isObject(variable) ? variable["default"] : undefined)),
    first["url"],
  );
  const path = pathOf(url);
  if (path === undefined) return { basePath: "", notes: [`left out: its server "${url}", which is no URL`] };
  const others = new Set(servers.map((server) => (typeof server["url"] === "string" ? pathOf(server["url"]) : path)));
  return {
    basePath: path,
    notes: others.size > 1 ? [`its servers have different paths: the first counts, "${path}"`] : [],
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function pathOf(url: string): string | undefined {
  // A relative one is resolved against where the document was found, which no longer counts.
  if (!URL.canParse(url, "http://document.invalid")) return undefined;
  return new URL(url, "http://document.invalid").pathname.replace(/\/+$/, "");
}
