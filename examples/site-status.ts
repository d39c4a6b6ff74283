/**
 * Reaches one host on the network. Code reaches only the hosts that the operation's row lists, and none without:
 *
 *     opctl deploy examples/site-status.ts
 *     opctl edit operation site_status -s 'network=["example.com"]'
 */
import type { Context } from "switchyard";

export interface SiteStatusInput {
  /** @pattern ^/ */
  path?: string;
}

export interface SiteStatusOutput {
  ok: boolean;
  /** @asType integer */
  status: number;
}

/** Whether a page of example.com answers. */
export async function siteStatus({ path = "/" }: SiteStatusInput, ctx: Context): Promise<SiteStatusOutput> {
  const response = await fetch(`https://example.com${path}`, { method: "HEAD", signal: ctx.signal });
  return { ok: response.ok, status: response.status };
}
