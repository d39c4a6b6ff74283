/**
 * The few calls of ECS that are needed, as signed JSON (AWS JSON 1.1, Signature Version 4). Not the SDK: it is more than ten times
 * the size, for a handful of calls. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/
 */
import { AwsClient } from "aws4fetch";
import { within } from "../../core/within.ts";
import type { AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import type { FargateConfig } from "./config.ts";

const TARGET = "AmazonEC2ContainerServiceV20141113";
const ANSWER_MS = 20_000;

/** What ECS itself refused. Anything else that is thrown means that it is not known whether it was done. */
export class EcsRefusal extends Error {
  override readonly name = "EcsRefusal";
  /** Such as ClusterNotFoundException. */
  readonly type: string;
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(type: string, message: string, more: { status: number; retryAfterMs: number | undefined }) {
    super(message);
    this.type = type;
    this.status = more.status;
    this.retryAfterMs = more.retryAfterMs;
  }
}

export type EcsCall = <Answer>(action: string, body: Record<string, unknown>) => Promise<Answer>;

/** Throws setting_unsupported at once; each call asks for the secrets, so that renewed ones are used. */
export function ecsApi(
  config: FargateConfig,
  environment: EnvironmentHandle,
  ports: Pick<AdapterPorts, "fetchOn">,
): EcsCall {
  const send = ports.fetchOn(config.network);
  const suffix = config.region.startsWith("cn-") ? ".cn" : "";
  const url = config.endpoint ?? `https://ecs.${config.region}.amazonaws.com${suffix}/`;
  return async (action, body) => {
    const secrets = await environment.openSecrets();
    const sessionToken = secrets["session_token"];
    const client = new AwsClient({
      accessKeyId: secrets["access_key_id"] ?? "",
      secretAccessKey: secrets["secret_access_key"] ?? "",
      ...(sessionToken === undefined ? {} : { sessionToken }),
      region: config.region,
      service: "ecs",
    });
    const request = await client.sign(url, {
      method: "POST",
      headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": `${TARGET}.${action}` },
      body: JSON.stringify(body),
    });
    const answered = await within(
      ANSWER_MS,
      send(request).then(async (response) => ({ response, text: await response.text() })),
    );
    if (answered === undefined) throw new Error(`ECS did not answer ${action} within ${ANSWER_MS} ms`);
    const { response, text } = answered.value;
    const answer = parse(text);
    if (response.ok && answer !== undefined) return answer as never;
    const type = typeOf(response, answer);
    const message = textOf(answer?.["message"] ?? answer?.["Message"]) ?? `HTTP ${response.status}`;
    // A failure of ECS's own may come after it was done.
    if (response.status >= 500 && !/Throttl|Unavailable/.test(type)) throw new Error(`ECS failed: ${type} ${message}`);
    if (response.ok || type === "") throw new Error(`what answers ${action} is not ECS: HTTP ${response.status}`);
    const seconds = Number(response.headers.get("retry-after") ?? "");
    const retryAfterMs = seconds > 0 ? seconds * 1_000 : undefined;
    throw new EcsRefusal(type, message, { status: response.status, retryAfterMs });
  };
}

/** `com.amazonaws.ecs#ClusterNotFoundException` or `ClusterNotFoundException:http://…`. */
function typeOf(response: Response, answer: Record<string, unknown> | undefined): string {
  const named = response.headers.get("x-amzn-errortype") ?? textOf(answer?.["__type"]) ?? "";
  return (named.split("#").at(-1) ?? "").split(":")[0] ?? "";
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, 1_000) : undefined;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
