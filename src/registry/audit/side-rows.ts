/**
 * Token secrets and sealed values stand in tables of their own, which no revision shows. The revision holds a hash of the
 * row instead, and with it the change log does: a row that somebody puts there by hand is found. Both are hashes of what is
 * a hash or a ciphertext already, so they give nothing away.
 */
import { sha256 } from "../../core/hash.ts";

export const sealOfToken = (secretSha256: string): Promise<string> => sha256(`switchyard.token.v1\n${secretSha256}`);

export const sealOfSecret = (sealed: string): Promise<string> => sha256(`switchyard.secret.v1\n${sealed}`);
