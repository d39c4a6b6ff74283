/** The few requests of IAM that an installation needs: its Query protocol, 2010-05-08. */
import { AwsClient } from "aws4fetch";
import { AwsRefusal, installError, type AwsCredentials, type Partition } from "./aws-access.ts";
import { ROLE_DESCRIPTION, type RoleThere } from "./lambda-plan.ts";

export type Iam = {
  findRole(name: string): Promise<RoleThere | undefined>;
  /** Answers its ARN. */
  createRole(name: string): Promise<string>;
  attachPolicy(roleName: string, policy: string): Promise<void>;
};

const TRUST = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
});
const TIMEOUT_MS = 30_000;

export function createIam(credentials: AwsCredentials, partition: Partition, endpoint?: string): Iam {
  const client = new AwsClient({ ...credentials, service: "iam", region: partition.iamRegion });
  const ask = async (action: string, parameters: Record<string, string>): Promise<string> => {
    const body = new URLSearchParams({ Action: action, Version: "2010-05-08", ...parameters }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
    try {
      const request = await client.sign(new URL("/", endpoint ?? partition.iamUrl), { method: "POST", headers, body });
      const response = await fetch(request, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "error" });
      const text = await response.text();
      if (response.ok) return text;
      throw new AwsRefusal(element(text, "Code") ?? "Error", element(text, "Message") ?? text, response.status);
    } catch (thrown) {
      if (thrown instanceof AwsRefusal && thrown.name === "NoSuchEntity") throw thrown;
      throw installError(thrown, `iam:${action}`);
    }
  };
  return {
    async findRole(name) {
      try {
        const role = await ask("GetRole", { RoleName: name });
        const attached = await ask("ListAttachedRolePolicies", { RoleName: name });
        return {
          arn: element(role, "Arn") ?? "",
          description: element(role, "Description") ?? "",
          policies: [...attached.matchAll(/<PolicyArn>([^<]*)</g)].map((match) => match[1] ?? ""),
        };
      } catch (thrown) {
        if (thrown instanceof AwsRefusal) return undefined;
        throw thrown;
      }
    },
    async createRole(name) {
      const parameters = { RoleName: name, AssumeRolePolicyDocument: TRUST, Description: ROLE_DESCRIPTION };
      return element(await ask("CreateRole", parameters), "Arn") ?? "";
    },
    async attachPolicy(roleName, policy) {
      await ask("AttachRolePolicy", { RoleName: roleName, PolicyArn: policy });
    },
  };
}

/** The text of the first element of that name; IAM's answers need no more of XML. */
function element(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text
    ?.replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll(/&(quot|#34);/g, '"')
    .replaceAll(/&(apos|#39);/g, "'")
    .replaceAll("&amp;", "&");
}
