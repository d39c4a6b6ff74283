/** The user's own credentials of AWS, where IAM of a region is, and what AWS's refusals mean for who installs. */
import { SwitchyardError } from "../../../src/core/errors.ts";

export type AwsCredentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
export type Partition = { name: string; iamUrl: string; iamRegion: string };

/** From three variables and nowhere else: whoever installs sees which ones are used. */
export function credentialsFrom(env: NodeJS.ProcessEnv): AwsCredentials {
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = env;
  const { AWS_SESSION_TOKEN: sessionToken = "" } = env;
  for (const [name, value] of Object.entries({
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  })) {
    if (value !== "") continue;
    throw new SwitchyardError("usage", `Cannot install with your credentials of AWS: ${name} must be set; it is not`, {
      hint: 'From a profile: eval "$(aws configure export-credentials --profile NAME --format env)". What the platform has is not used.',
    });
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === "" ? {} : { sessionToken }) };
}

/** IAM has one address and one signing region for each partition of regions. */
export function partitionOf(region: string): Partition {
  if (region.startsWith("cn-")) {
    return { name: "aws-cn", iamUrl: "https://iam.cn-north-1.amazonaws.com.cn", iamRegion: "cn-north-1" };
  }
  if (region.startsWith("us-gov-")) {
    return { name: "aws-us-gov", iamUrl: "https://iam.us-gov.amazonaws.com", iamRegion: "us-gov-west-1" };
  }
  return { name: "aws", iamUrl: "https://iam.amazonaws.com", iamRegion: "us-east-1" };
}

/** What AWS said no with. `name` is its own word for it. */
export class AwsRefusal extends Error {
  override readonly name: string;
  readonly status: number;
  constructor(name: string, message: string, status: number) {
    super(message);
    this.name = name;
    this.status = status;
  }
}

const DENIED = /^AccessDenied/;
const NOT_VALID =
  /^(UnrecognizedClient|ExpiredToken|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature|InvalidClientTokenId|MissingAuthenticationToken)/;

/** `permission` is what IAM calls the request that failed. */
export function installError(thrown: unknown, permission: string): SwitchyardError {
  if (thrown instanceof SwitchyardError) return thrown;
  const { name, message, cause } =
    thrown instanceof Error ? thrown : { name: "Error", message: String(thrown), cause: undefined };
  const because = { cause: thrown };
  if (DENIED.test(name)) {
    return new SwitchyardError(
      "environment_refused",
      `Cannot install the host: your credentials must permit ${permission}; they do not: ${message}`,
      { ...because, hint: "Permit it for the time of the installation; what is done already is not done again." },
    );
  }
  if (NOT_VALID.test(name)) {
    return new SwitchyardError(
      "environment_refused",
      `Cannot install the host: AWS must accept your credentials for ${permission}; it answers ${name}: ${message}`,
      { ...because, hint: "Renew them, and check that all three variables are of one session." },
    );
  }
  const status = thrown instanceof AwsRefusal ? thrown.status : statusOf(thrown);
  if (status === undefined) {
    const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
    return new SwitchyardError("environment_unavailable", `Cannot reach AWS for ${permission}: ${reason}`, because);
  }
  return new SwitchyardError(
    status >= 500 ? "environment_unavailable" : "environment_misconfigured",
    `Cannot install the host: AWS must accept ${permission}; it answers ${name}: ${message}`,
    { ...because, hint: "What is done already is not done again: mend it and run the same command." },
  );
}

function statusOf(thrown: unknown): number | undefined {
  return (thrown as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
