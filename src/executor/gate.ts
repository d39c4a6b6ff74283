/**
 * The only way out of an isolate that may reach hosts. Lets exactly the listed hosts pass; every hop of a redirect comes
 * back here, because requests reach a gate with redirects left to the one who asked. Whether an address is public is not
 * decided here: names can resolve to anything, so the runtime's own network refuses private addresses.
 */
import { WorkerEntrypoint } from "cloudflare:workers";

export type GateProps = { operation: string; hosts: readonly string[] };

/** Opaque words of the runtime for "no permitted address". */
const REFUSED_BY_RUNTIME = /internal error|restrictPeers|not permitted|DNS|resolve|connect/i;

export class Gate extends WorkerEntrypoint<unknown, GateProps> {
  override async fetch(request: Request): Promise<Response> {
    const { operation, hosts } = this.ctx.props;
    const url = new URL(request.url);
    if (!isListed(url, hosts)) {
      throw new Error(
        `Cannot fetch "${url.origin}": the network list of operation "${operation}" must name the host; it is ${JSON.stringify(hosts)}`,
      );
    }
    try {
      return await fetch(request, { redirect: "manual" });
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      if (!REFUSED_BY_RUNTIME.test(reason)) throw thrown;
      throw new Error(
        `Cannot fetch "${url.origin}": the host must be reachable at a public address; it is unknown, unreachable or private`,
        { cause: thrown },
      );
    }
  }
}

/** A listed host without a port means the default ports of http and https; with one, exactly that port. */
export function isListed(url: URL, hosts: readonly string[]): boolean {
  if (url.protocol !== "http:" && url.protocol !== "https:") return false;
  // The WHATWG parser has already turned every spelling of an address into one, and default ports into "".
  const port = url.port === "" ? (url.protocol === "http:" ? "80" : "443") : url.port;
  return hosts.some((host) => {
    const [name, listedPort] = host.split(":");
    return url.hostname === name && (listedPort === undefined ? port === "80" || port === "443" : port === listedPort);
  });
}
