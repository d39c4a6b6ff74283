/**
 * Where the platform may send what it was not asked for by a caller: events. By the URL alone; what a name resolves to is
 * seen by the runtime's network only, which refuses private addresses when it connects. Both hold.
 */

export type Network = "public" | "private";

/** Below these only 443: mail servers and the like take bytes that were not meant for them. */
const LEAST_FREE_PORT = 1024;

/** Names that mean the team's own network wherever they are asked for. */
const PRIVATE_NAME =
  /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|private|svc|cluster\.local|home\.arpa|test)$/;

/** What is wrong with the URL, as "it must …"; undefined: nothing is. */
export function destinationFault(text: string, network: Network): string | undefined {
  const url = URL.parse(text);
  if (url === null) return "must be a URL";
  if (url.protocol !== "https:" && url.protocol !== "http:") return "must begin with https://";
  if (url.username !== "" || url.password !== "") return "must hold no credentials: sign with secrets instead";
  if (url.hash !== "") return "must have no fragment, which is never sent";
  const host = url.hostname.replace(/\.$/, "");
  const address = addressOf(host);
  const isPrivate = address === undefined ? isPrivateName(host) : !isPublic(address);
  if (network === "public") {
    if (isPrivate) return "must be at a public address, or have network: private";
    if (url.protocol === "http:") return "must begin with https://: what is sent over a public network is encrypted";
    const port = url.port === "" ? 443 : Number(url.port);
    if (port !== 443 && port < LEAST_FREE_PORT) return `must have the port 443, or one of at least ${LEAST_FREE_PORT}`;
    return undefined;
  }
  if (address !== undefined && isLinkLocal(address))
    return "must not be at a link-local address, where clouds keep secrets";
  if (url.protocol === "http:" && !isPrivate) {
    return "must begin with https:// unless its host is a private address or a name of the team's own network (one word, or under .internal, .local, .lan and the like)";
  }
  return undefined;
}

/** What an address of a machine that has replicas is: `http://10.0.0.5:41234`, never a name, nor what no one machine has of its own. */
export type MachineAddress = { host: string; isLoopback: boolean };

const MACHINE = /^http:\/\/(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\]):\d{1,5}$/i;

/** undefined: it is none. `host`: as a URL has it. */
export function machineAddressOf(text: string): MachineAddress | undefined {
  const url = MACHINE.test(text) ? URL.parse(text) : null;
  if (url === null) return undefined;
  const address = embedded(addressOf(url.hostname) ?? []);
  const [a = 0, b = 0] = address;
  if (isLinkLocal(address)) return undefined;
  if (address.length === 4) return a === 0 || a >= 224 ? undefined : { host: url.hostname, isLoopback: a === 127 };
  const isLoopback = address.slice(0, 15).every((byte) => byte === 0) && address[15] === 1;
  // Multicast; and what begins with zeros but for ::1, or with 64:ff9b, is no address of a machine.
  if (a === 0xff || (a === 0 && (b === 0 || b === 0x64) && !isLoopback)) return undefined;
  return { host: url.hostname, isLoopback };
}

/** The IPv4 address that an IPv6 one stands for. */
function embedded(address: readonly number[]): readonly number[] {
  const isMapped = address.slice(0, 10).every((byte) => byte === 0) && address[10] === 255 && address[11] === 255;
  return isMapped ? address.slice(12) : address;
}

function isPrivateName(host: string): boolean {
  return !host.includes(".") || PRIVATE_NAME.test(host);
}

/** Bytes of an IPv4 or IPv6 address; the URL parser has turned every way of writing one into one. undefined: a name. */
function addressOf(host: string): readonly number[] | undefined {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return host.split(".").map(Number);
  if (!host.startsWith("[")) return undefined;
  const [left = "", right] = host.slice(1, -1).split("::");
  const [head, tail] = [groupsOf(left), groupsOf(right ?? "")];
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
  return all.flatMap((group) => [group >> 8, group & 255]);
}

function groupsOf(part: string): number[] {
  return part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
}

/** IANA's registries of special-purpose addresses. Of IPv6 only what is handed out for use at large. */
function isPublic(address: readonly number[]): boolean {
  const [a = 0, b = 0, c = 0, d = 0] = address;
  if (address.length === 4) {
    if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
    if (a === 100 && b >= 64 && b < 128) return false;
    if (a === 169 && b === 254) return false;
    if (a === 172 && b >= 16 && b < 32) return false;
    if (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99))) return false;
    if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return false;
    return !(a === 203 && b === 0 && c === 113);
  }
  if (a >> 5 !== 1) return false;
  // 2001::/23 (Teredo and other protocols), documentation, 6to4, which holds an IPv4 address.
  if (a === 0x20 && b === 0x01 && (c < 2 || (c === 0x0d && d === 0xb8))) return false;
  return !((a === 0x20 && b === 0x02) || (a === 0x3f && b === 0xff && c < 16));
}

function isLinkLocal([a = 0, b = 0, ...rest]: readonly number[]): boolean {
  if (rest.length === 2) return a === 169 && b === 254;
  // Also an IPv4 address in an IPv6 one.
  const mapped = rest.slice(0, 8).every((byte) => byte === 0) && rest[8] === 255 && rest[9] === 255;
  return (a === 0xfe && b >> 6 === 2) || (a === 0 && b === 0 && mapped && rest[10] === 169 && rest[11] === 254);
}
