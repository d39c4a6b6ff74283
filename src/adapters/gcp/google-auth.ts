/**
 * Tokens of Google's: an identity for a service (ID token), or access to an API. Proved by the key of a service account
 * (RFC 7523), or by a token of another provider that Google trusts (workload identity federation), without any key.
 */
import { importPKCS8, SignJWT } from "jose";
import * as v from "valibot";
import { sha256 } from "../../core/hash.ts";
import { unstarted } from "../adapter.ts";
import type { Send } from "../http/exchange.ts";
import type { Authorize } from "../http/http-call.ts";
import { plainUrl } from "../http/settings.ts";
import { tokenCache } from "../http/tokens.ts";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const JWT_SECONDS = 3_600;

export const GOOGLE_AUTH = {
  /** `service_account`: the secret service_account_key. `workload_identity`: the secret subject_token. */
  auth: v.optional(v.picklist(["service_account", "workload_identity", "none"]), "service_account"),
  /** The provider, with workload_identity: //iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/P/providers/Q */
  workload_identity_provider: v.optional(v.pipe(v.string(), v.regex(/^\/\/iam\.googleapis\.com\/[\w./-]{1,400}$/))),
  subject_token_type: v.optional(v.pipe(v.string(), v.maxLength(128)), "urn:ietf:params:oauth:token-type:jwt"),
  /** The account that workload_identity acts as. */
  service_account: v.optional(v.pipe(v.string(), v.regex(/^[\w.@-]{1,256}$/))),
  /** In place of the key's own token_uri. */
  token_url: v.optional(plainUrl),
  sts_url: v.optional(plainUrl, "https://sts.googleapis.com/v1/token"),
  iam_url: v.optional(plainUrl, "https://iamcredentials.googleapis.com"),
} as const;
const AuthSchema = v.object(GOOGLE_AUTH);
export type GoogleAuth = v.InferOutput<typeof AuthSchema>;

export const GOOGLE_SECRETS = {
  service_account_key: {
    required: false,
    summary: "The JSON key of a service account, for config.auth service_account",
  },
  subject_token: { required: false, summary: "A token of the trusted provider, for config.auth workload_identity" },
} as const;

const KeySchema = v.object({ client_email: v.string(), private_key: v.string(), token_uri: v.optional(plainUrl) });

type Who = { name: string; send: Send; secrets: Readonly<Record<string, string>>; config: GoogleAuth };

/** An audience asks for an identity to it, null for access to APIs. Keeps tokens for as long as it lives. */
export function googleAuth(now: () => number) {
  const tokens = tokenCache(now);

  const byKey = async ({ config, secrets, name }: Who, audience: string | null) => {
    const lacks = (rule: string) => refused(name, `the secret service_account_key must be ${rule}; it is not`);
    const text = secrets["service_account_key"];
    if (text === undefined) return lacks("set");
    const key = v.safeParse(KeySchema, parse(text));
    if (!key.success) return lacks("the JSON key of a service account");
    const { client_email: email, private_key: pem, token_uri: ownUrl } = key.output;
    const url = config.token_url ?? ownUrl ?? "https://oauth2.googleapis.com/token";
    let assertion: string;
    try {
      const nowS = Math.floor(now() / 1_000);
      assertion = await new SignJWT(audience === null ? { scope: SCOPE } : { target_audience: audience })
        .setProtectedHeader({ alg: "RS256", typ: "JWT" })
        .setIssuer(email)
        .setSubject(email)
        .setAudience(url)
        .setIssuedAt(nowS)
        .setExpirationTime(nowS + JWT_SECONDS)
        .sign(await importPKCS8(pem, "RS256"));
    } catch {
      // What is wrong with a key must not be told with its words.
      return lacks("a key that signs (PKCS #8, RSA)");
    }
    const form = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
    return { url, form, member: audience === null ? "access_token" : "id_token" } as const;
  };

  return async (
    who: Who,
    audience: string | null,
    { renew, signal }: Omit<Parameters<Authorize>[0], "url">,
  ): ReturnType<Authorize> => {
    const { config, secrets, name, send } = who;
    if (config.auth === "none") return { headers: {} };
    const how = { send, renew, name, ...(signal === undefined ? {} : { signal }) };
    const key = await sha256(JSON.stringify([config, secrets["service_account_key"], secrets["subject_token"]]));
    if (config.auth === "service_account") {
      return await tokens.headers(`${key} ${JSON.stringify(audience)}`, how, () => byKey(who, audience));
    }
    const exchanged = () => tokens.headers(`${key} sts`, how, () => byProvider(who));
    const { service_account: account, iam_url: iam } = config;
    if (account === undefined) {
      if (audience === null) return await exchanged();
      return refused(name, "config.service_account must name who gives identities; it is not set");
    }
    return await tokens.headers(`${key} ${JSON.stringify(audience)}`, how, async () => {
      const given = await exchanged();
      if ("refused" in given) return given;
      const url = `${iam}/v1/projects/-/serviceAccounts/${account}`;
      return audience === null
        ? { url: `${url}:generateAccessToken`, json: { scope: [SCOPE] }, member: "accessToken", ...given }
        : { url: `${url}:generateIdToken`, json: { audience, includeEmail: true }, member: "token", ...given };
    });
  };
}

async function byProvider({ config, secrets, name }: Who) {
  const { workload_identity_provider: provider } = config;
  const subject = secrets["subject_token"];
  if (provider === undefined || subject === undefined) {
    return refused(name, "config.workload_identity_provider and the secret subject_token must be set; one is not");
  }
  const form = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    audience: provider,
    scope: SCOPE,
    requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
    subject_token_type: config.subject_token_type,
    subject_token: subject,
  };
  return { url: config.sts_url, form, member: "access_token" } as const;
}

function refused(name: string, rule: string) {
  return { refused: unstarted("environment_refused", `Cannot get a token for "${name}": ${rule}`) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
