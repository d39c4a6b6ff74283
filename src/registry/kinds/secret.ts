/** Secrets: the value is sealed before it gets anywhere near a manifest, a revision or the change log. */
import { eq } from "drizzle-orm";
import { canonicalJson } from "../../core/hash.ts";
import { randomId } from "../../core/ids.ts";
import { sealOfSecret } from "../audit/side-rows.ts";
import { open, seal } from "../seal.ts";
import { secretValues, type Json } from "../schema.ts";
import { refuse, type KindRules, type WriteContext } from "./rules.ts";

/**
 * `version` changes with the value, and with it the revision, the digest and every loader id that holds the value; `sealed`
 * binds the row to the sealed value: see audit/side-rows.ts.
 */
type SecretResolution = { version: string; sealed?: string };

export const secretRules: KindRules<"secret"> = {
  async settle({ value: given, ...manifest }, context) {
    const value = given ?? (await copied(context));
    if (value === undefined) {
      if (context.before === undefined) {
        throw refuse(
          "definition_invalid",
          "/value",
          `Cannot store the secret "${manifest.name}": a new secret must have a value; it has none`,
        );
      }
      return { manifest, resolved: await regrouped(manifest, context), uses: [] };
    }
    const version = randomId(16);
    const row = {
      name: manifest.name,
      version,
      sealed: await seal(await context.ports.masterKey, manifest.name, value),
    };
    const { database } = context.draft;
    context.draft.also(
      database.insert(secretValues).values(row).onConflictDoUpdate({ target: secretValues.name, set: row }),
    );
    const resolved: SecretResolution = { version, sealed: await sealOfSecret(row.sealed) };
    return { manifest, resolved, uses: [] };
  },
  /** Description and groups go back; the value does not: a rotated value is gone. */
  async restore(manifest, _resolved, context) {
    return { manifest, resolved: await regrouped(manifest, context), uses: [] };
  },
  remove(row, { draft }) {
    draft.also(draft.database.delete(secretValues).where(eq(secretValues.name, row.name)));
  },
};

/**
 * The version of a value that stays. Other groups make it another one: an isolate that is loaded already holds the value
 * and is not asked again, so it must not be the one that the next call finds.
 */
async function regrouped(manifest: Json, { before, draft }: WriteContext): Promise<Json> {
  if (before === undefined || canonicalJson(before.manifest["groups"]) === canonicalJson(manifest["groups"]))
    return before?.resolved ?? {};
  const version = randomId(16);
  draft.also(draft.database.update(secretValues).set({ version }).where(eq(secretValues.name, before.name)));
  return { ...before.resolved, version };
}

/** A duplicate has the value of its source, sealed anew because the name is part of the seal. */
async function copied({ before, basis, draft, ports }: WriteContext): Promise<string | undefined> {
  if (before !== undefined || basis === undefined) return undefined;
  const [row] = await draft.database.select().from(secretValues).where(eq(secretValues.name, basis.name));
  return row === undefined ? undefined : open(await ports.masterKey, basis.name, row.sealed);
}
