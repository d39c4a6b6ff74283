/** IAM and Lambda on loopback, as far as an installation goes: what is there can be set, and how slowly things come about. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Json = Record<string, unknown>;
export type FakeAws = {
  endpoint: string;
  /** `iam:GetRole`, `lambda:CreateFunction` …, in order. */
  seen: string[];
  role: { description: string; policies: string[] } | undefined;
  function: Json | undefined;
  zip: Buffer;
  /** So many requests are refused because Lambda does not know the role yet. */
  unknownFor: number;
  /** So many looks find the function not ready. */
  pendingFor: number;
  failsWith: string | undefined;
  /** Permissions that the credentials lack. */
  denied: Set<string>;
  close(): void;
};

const ROLE_ARN = "arn:aws:iam::123456789012:role/switchyard-switchyard-host";
const LAMBDA_ACTIONS: Readonly<Record<string, string>> = {
  "POST ": "CreateFunction",
  "GET configuration": "GetFunctionConfiguration",
  "PUT configuration": "UpdateFunctionConfiguration",
  "PUT code": "UpdateFunctionCode",
};

export async function startFakeAws(): Promise<FakeAws> {
  const aws: FakeAws = {
    endpoint: "",
    seen: [],
    role: undefined,
    function: undefined,
    zip: Buffer.alloc(0),
    unknownFor: 0,
    pendingFor: 0,
    failsWith: undefined,
    denied: new Set(),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  const server = createServer((request, response) => {
    void textOf(request).then((body) => answer(aws, request, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  aws.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return aws;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += String(chunk);
  return body;
}

function answer(aws: FakeAws, request: IncomingMessage, body: string, response: ServerResponse): void {
  const { method = "", url = "", headers } = request;
  if (headers.authorization?.startsWith("AWS4-HMAC-SHA256 Credential=AKID/") !== true)
    throw new Error("a request must be signed");
  if (url === "/") return answerIam(aws, new URLSearchParams(body), response);
  const action = LAMBDA_ACTIONS[`${method} ${url.split("/")[4] ?? ""}`] ?? "Unknown";
  answerLambda(aws, action, body === "" ? {} : (JSON.parse(body) as Json), response);
}

function answerIam(aws: FakeAws, form: URLSearchParams, response: ServerResponse): void {
  const action = form.get("Action") ?? "";
  aws.seen.push(`iam:${action}`);
  const refuse = (status: number, code: string, message: string) =>
    response
      .writeHead(status)
      .end(`<ErrorResponse><Error><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`);
  if (aws.denied.has(`iam:${action}`))
    return void refuse(403, "AccessDenied", `User &quot;me&quot; may not perform iam:${action}`);
  if (action === "CreateRole") aws.role = { description: form.get("Description") ?? "", policies: [] };
  if (aws.role === undefined) return void refuse(404, "NoSuchEntity", "no such role");
  if (action === "AttachRolePolicy") aws.role.policies.push(form.get("PolicyArn") ?? "");
  const policies = aws.role.policies.map((policy) => `<member><PolicyArn>${policy}</PolicyArn></member>`).join("");
  response.end(
    `<Response><Role><Description>${aws.role.description}</Description><Arn>${ROLE_ARN}</Arn></Role>${policies}</Response>`,
  );
}

function answerLambda(aws: FakeAws, action: string, body: Json, response: ServerResponse): void {
  aws.seen.push(`lambda:${action}`);
  const send = (status: number, value: Json, type?: string) =>
    response
      .writeHead(status, {
        "content-type": "application/json",
        ...(type === undefined ? {} : { "x-amzn-errortype": type }),
      })
      .end(JSON.stringify(value));
  if (aws.denied.has(`lambda:${action}`)) return void send(403, { Message: "not you" }, "AccessDeniedException");
  if (aws.denied.has("iam:PassRole") && "Role" in body)
    return void send(403, { Message: "me is not authorized to perform: iam:PassRole" }, "AccessDeniedException");
  if ("Role" in body && aws.unknownFor-- > 0) {
    const Message = "The role defined for the function cannot be assumed by Lambda.";
    return void send(400, { Message }, "InvalidParameterValueException");
  }
  const { Code, ZipFile, ...rest } = body;
  const zip = ZipFile ?? (Code as Json | undefined)?.["ZipFile"];
  if (action !== "CreateFunction" && aws.function === undefined)
    return void send(404, { Message: "Function not found" }, "ResourceNotFoundException");
  if (typeof zip === "string") {
    aws.zip = Buffer.from(zip, "base64");
    aws.function = { ...aws.function, CodeSha256: createHash("sha256").update(aws.zip).digest("base64") };
  }
  aws.function = { FunctionArn: "arn:aws:lambda:eu-central-1:123456789012:function:f", ...aws.function, ...rest };
  const isNew = aws.seen.includes("lambda:CreateFunction");
  const waits = action === "GetFunctionConfiguration" && aws.pendingFor-- > 0;
  const standing = waits ? (isNew ? { State: "Pending" } : { LastUpdateStatus: "InProgress" }) : { State: "Active" };
  const failed = aws.failsWith === undefined ? {} : { State: "Failed", StateReason: aws.failsWith };
  send(200, { ...aws.function, ...standing, ...failed });
}
