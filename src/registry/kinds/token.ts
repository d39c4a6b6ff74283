/** Tokens: `sy_<id>_<secret>`. The secret is said once, when the token is made; only its SHA-256 is kept. */
import { eq } from "drizzle-orm";
import { sha256 } from "../../core/hash.ts";
import { randomId } from "../../core/ids.ts";
import type { Row } from "../draft.ts";
import { tokenSecrets, tokenUse } from "../schema.ts";
import type { KindRules } from "./rules.ts";

type TokenResolution = { id: string };

export const tokenRules: KindRules<"token"> = {
  async settle(manifest, { draft, before }) {
    if (before !== undefined) return { manifest, resolved: { id: tokenId(before) }, uses: [] };
    const id = randomId(16);
    const secret = randomId(32);
    draft.also(
      draft.database.insert(tokenSecrets).values({ id, name: manifest.name, secret_sha256: await sha256(secret) }),
    );
    return { manifest, resolved: { id }, uses: [], once: { token: `sy_${id}_${secret}` } };
  },
  /** Scopes and expiry go back; the id does not: it belongs to the secret that is in force. */
  async restore(manifest, _resolved, { before }) {
    return { manifest, resolved: before === undefined ? {} : { id: tokenId(before) }, uses: [] };
  },
  remove(row, { draft }) {
    draft.also(draft.database.delete(tokenSecrets).where(eq(tokenSecrets.name, row.name)));
    draft.also(draft.database.delete(tokenUse).where(eq(tokenUse.id, tokenId(row))));
  },
};

export function tokenId(row: Row): string {
  return (row.resolved as TokenResolution).id;
}
