/** `opctl environment install` against moto's IAM and Lambda (`pip install moto[server]`), which we did not write. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import net from "node:net";
import { GetFunctionCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { AwsClient } from "aws4fetch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { opctlOnFake } from "../../cli/testing/opctl-on-fake.ts";
import { runOpctl } from "../../cli/testing/run-opctl.ts";

const REGION = "eu-central-1";
const READY_WITHIN_MS = 30_000;
const CREDENTIALS = { accessKeyId: "AKID", secretAccessKey: "secret" };
const POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

// The shim of a version manager is on the path although nothing is behind it.
const isThere = spawnSync("moto_server", ["--help"], { stdio: "ignore", timeout: 30_000 }).status === 0;
if (!isThere)
  console.warn("SKIPPED: moto_server is not on this machine, so opctl environment install meets no AWS but our own");

const fake = opctlOnFake();

describe.skipIf(!isThere)("opctl environment install on moto_server", () => {
  let server: ChildProcess;
  let endpoint = "";

  beforeAll(async () => {
    const port = await freePort();
    endpoint = `http://127.0.0.1:${port}`;
    server = spawn("moto_server", ["-H", "127.0.0.1", "-p", String(port)], {
      stdio: "ignore",
      detached: true,
      // Else it knows no policies of Amazon's own.
      env: { ...process.env, MOTO_IAM_LOAD_MANAGED_POLICIES: "true" },
    });
    await answers(`${endpoint}/moto-api/`);
  }, READY_WITHIN_MS + 10_000);

  afterAll(() => {
    // The shim starts the server as its child: both are in the group.
    if (server?.pid !== undefined) process.kill(-server.pid, "SIGKILL");
  });

  const install = (name: string, ...words: string[]) => {
    fake.platform.put("environment", {
      name: "lambda-eu",
      adapter: "lambda",
      config: { region: REGION, endpoint, function: name },
    });
    return runOpctl(["environment", "install", "lambda-eu", ...words], {
      cwd: fake.folder,
      env: {
        ...fake.environment,
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_ENDPOINT_URL_IAM: endpoint,
      },
    });
  };
  const functionNamed = (FunctionName: string) =>
    new LambdaClient({ region: REGION, endpoint, credentials: CREDENTIALS }).send(
      new GetFunctionCommand({ FunctionName }),
    );

  const iam = async (action: string, parameters: Record<string, string>): Promise<string> => {
    const client = new AwsClient({ ...CREDENTIALS, service: "iam", region: "us-east-1" });
    const body = new URLSearchParams({ Action: action, Version: "2010-05-08", ...parameters }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return (await fetch(await client.sign(endpoint, { method: "POST", headers, body }))).text();
  };

  it("makes role and function, once", async () => {
    const planned = await install("first", "--dry-run");
    expect(planned.stdout.split("\n")).toHaveLength(4);
    await expect(functionNamed("first")).rejects.toMatchObject({ name: "ResourceNotFoundException" });

    const run = await install("first");
    expect([run.code, run.stdout]).toEqual([0, planned.stdout.replaceAll(/^would /gm, "done: ")]);
    const { Configuration } = await functionNamed("first");
    expect(Configuration).toMatchObject({
      Runtime: "nodejs24.x",
      Handler: "index.handler",
      MemorySize: 1024,
      Timeout: 900,
      Architectures: ["arm64"],
      Role: expect.stringMatching(/:role\/switchyard-first$/) as string,
    });
    expect(decodeURIComponent(await iam("GetRole", { RoleName: "switchyard-first" }))).toContain(
      "lambda.amazonaws.com",
    );
    expect(await iam("ListAttachedRolePolicies", { RoleName: "switchyard-first" })).toContain(POLICY);

    expect((await install("first")).stdout).toBe("nothing to do: first is as it should be\n");
  });

  it("changes the settings that are asked for, and leaves the others", async () => {
    await install("second", "--memory-mb", "512");
    expect((await install("second", "--timeout-s", "60")).stdout).toBe(
      "done: update the settings of second: time-out in seconds 60\n",
    );
    expect((await functionNamed("second")).Configuration).toMatchObject({ MemorySize: 512, Timeout: 60 });
    // moto takes the other processor of UpdateFunctionCode and does not keep it, so that is shown by our own fake alone.
    expect((await install("second", "--architecture", "x86_64")).stdout).toBe(
      "done: update the code of second (x86_64)\n",
    );
  });

  it("takes the role that is named, and makes none", async () => {
    const role = "arn:aws:iam::123456789012:role/switchyard-first";
    expect((await install("third", "--role", role)).code).toBe(0);
    expect((await functionNamed("third")).Configuration).toMatchObject({ Role: role });
    expect(await iam("GetRole", { RoleName: "switchyard-third" })).toContain("NoSuchEntity");
  });
});

async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function answers(url: string): Promise<void> {
  for (const end = Date.now() + READY_WITHIN_MS; Date.now() < end;) {
    const up = await fetch(url).then(
      () => true,
      () => false,
    );
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("moto_server does not answer");
}
