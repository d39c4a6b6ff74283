/** How adapters and what the platform sends reach the outside: the runtime confines each of the two networks. */
import { connect } from "cloudflare:sockets";
import { SwitchyardError } from "../core/errors.ts";
import type { AdapterPorts } from "./adapter.ts";

/** Public addresses are reached directly; private ones through a service that this installation may have. */
export function networksOf(own: Fetcher | undefined): Pick<AdapterPorts, "fetchOn" | "connectOn"> {
  const privately = (): Fetcher => {
    if (own !== undefined) return own;
    throw new SwitchyardError(
      "environment_misconfigured",
      "Cannot reach a private address: the installation must have the binding PRIVATE_NETWORK; it has none",
      {
        hint: "Only a self-hosted platform has a private network; elsewhere a runner in that network connects outward.",
      },
    );
  };
  return {
    fetchOn(network) {
      if (network === "public") return (request) => fetch(request, { redirect: "manual" });
      const fetcher = privately();
      return (request) => fetcher.fetch(request, { redirect: "manual" });
    },
    connectOn(network) {
      if (network === "public") return (address) => connect(address);
      const fetcher = privately();
      return (address) => fetcher.connect(address);
    },
  };
}
