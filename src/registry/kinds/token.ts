/** Tokens: `sy_<id>_<secret>`. The secret is said once, when the token is made; only its SHA-256 is kept. */
import { eq } from "drizzle-orm";
import { sha256 } from "../../core/hash.ts";
import { randomId } from "../../core/ids.ts";
import type { Row } from "../draft.ts";
import { tokenSecrets, tokenUse } from "../schema.ts";
import { sealOfToken } from "../audit/side-rows.ts";
import type { KindRules } from "./rules.ts";

/** `secret` binds the row to the hash that the token's text must have: see audit/side-rows.ts. */
type TokenResolution = { id: string; secret?: string };

export const tokenRules: KindRules<"token"> = {
  async settle(manifest, { draft, before }) {
    if (before !== undefined) return { manifest, resolved: before.resolved, uses: [] };
    const id = randomId(16);
    const secret = randomId(32);
    const hash = await sha256(secret);
    draft.also(draft.database.insert(tokenSecrets).values({ id, name: manifest.name, secret_sha256: hash }));
    const resolved: TokenResolution = { id, secret: await sealOfToken(hash) };
    return { manifest, resolved, uses: [], once: { token: `sy_${id}_${secret}` } };
  },
  /** Scopes and expiry go back; the id does not: it belongs to the secret that is in force. */
  async restore(manifest, _resolved, { before }) {
    return { manifest, resolved: before?.resolved ?? {}, uses: [] };
  },
  remove(row, { draft }) {
    draft.also(draft.database.delete(tokenSecrets).where(eq(tokenSecrets.name, row.name)));
    draft.also(draft.database.delete(tokenUse).where(eq(tokenUse.id, tokenId(row))));
  },
};

export function tokenId(row: Row): string {
  return (row.resolved as TokenResolution).id;
}
