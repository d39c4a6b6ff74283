import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { FakeJobs } from "../../../test/contracts/fake-jobs.ts";
import { Cancellation } from "../../core/cancellation.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Implementation } from "../../model/resolved.ts";
import type { AdapterCall, AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import { lambdaAdapter } from "./lambda.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "run", language: "javascript" };
const OWN: Implementation = { kind: "lambda", function: "thumbs", qualifier: "live" };
const TRACE = "00-1-2-01";

type Seen = { url: string; headers: IncomingHttpHeaders; body: string };
type Answer = { status?: number; body?: string; headers?: Record<string, string> } | "hangs" | "breaks_off";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** Lambda's Invoke on loopback, answering what the test says. */
async function setUp(answer: Answer, config: object = {}) {
  const seen: Seen[] = [];
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({ url: request.url ?? "", headers: request.headers, body });
      reply(response, answer);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const jobs = new FakeJobs();
  const adapter = lambdaAdapter({
    ...jobs.ports(),
    platformUrl: undefined,
    ...("invocation" in config ? { platformUrl: "https://platform.test" } : {}),
    fetchOn: () => (request: Request) => fetch(request),
    isolates: { isolateId: () => "i", loadIsolate: () => Promise.reject(new Error("not here")) },
  } as unknown as AdapterPorts);
  const secrets = { access_key_id: "AKID", secret_access_key: "the-secret", session_token: "the-session" };
  const environment = {
    name: "aws",
    digest: "d",
    config: { region: "eu-central-1", endpoint, ...config },
    openSecrets: async () => secrets,
  } as unknown as EnvironmentHandle;
  const run = (
    implementation = MODULE,
    more: { input?: string; cancellation?: Cancellation; timeoutMs?: number } = {},
  ) =>
    adapter.invoke({
      operation: { name: "work", implementation },
      environment,
      input: more.input ?? '{"n":1}',
      meta: { execution_id: "ex_1", attempt: 1, timeout_ms: more.timeoutMs ?? 20_000, traceparent: TRACE },
      ...(more.cancellation === undefined ? {} : { options: { cancellation: more.cancellation } }),
    } as unknown as AdapterCall);
  return { seen, jobs, run, check: () => adapter.check?.(environment) };
}

function reply(response: ServerResponse, answer: Answer): void {
  if (answer === "hangs") return;
  if (answer === "breaks_off") return void response.destroy();
  response.writeHead(answer.status ?? 200, { "content-type": "application/json", ...answer.headers });
  response.end(answer.body ?? "");
}

const brief = (outcome: Outcome) => (outcome.ok ? "ok" : `${outcome.error.code} ${outcome.unstarted ?? false}`);
const service = (type: string, status: number): Answer => ({
  status,
  headers: { "x-amzn-errortype": type },
  body: '{"Message":"no"}',
});

describe("lambdaAdapter()", () => {
  it("sends the host an order, signed, and answers its reply", async () => {
    const { seen, run } = await setUp({ body: JSON.stringify({ reply: '{"ok":true,"logs":[]}\n7' }) });
    expect(await run()).toEqual({ ok: true, output: "7", logs: [] });
    expect(seen[0]?.url).toMatch(/^\/2015-03-31\/functions\/switchyard-host\/invocations/);
    expect(seen[0]?.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKID\//);
    expect(seen[0]?.headers["x-amz-security-token"]).toBe("the-session");
    expect((JSON.parse(seen[0]?.body ?? "") as { order: string }).order).toContain(TRACE);
  });

  it("calls a function of the team's own with the input itself, and passes the trace on", async () => {
    const { seen, run } = await setUp({ body: '{"m":2}' });
    expect(await run(OWN)).toEqual({ ok: true, output: '{"m":2}', logs: [] });
    expect(seen[0]).toMatchObject({
      body: '{"n":1}',
      url: expect.stringContaining("thumbs/invocations?Qualifier=live"),
    });
    expect(atob(String(seen[0]?.headers["x-amz-client-context"]))).toBe(`{"custom":{"traceparent":"${TRACE}"}}`);
  });

  it.each([
    ["TypeError", "x is not a function", "implementation_failed false"],
    ["Sandbox.Timedout", "Task timed out after 3.00 seconds", "timeout false"],
    ["Runtime.ExitError", "signal: killed", "executor_lost false"],
  ])("tells what a function came to that ended with %s", async (errorType, errorMessage, expected) => {
    const headers = { "x-amz-function-error": "Unhandled", "x-amz-log-result": btoa("START\nlast words\n") };
    const { run } = await setUp({ headers, body: JSON.stringify({ errorType, errorMessage }) });
    const outcome = await run(OWN);
    expect(brief(outcome)).toBe(expected);
    expect(outcome.logs.map(({ message }) => message)).toEqual(["START", "last words"]);
  });

  it.each([
    ["TooManyRequestsException", 429, "environment_throttled true"],
    ["ResourceNotFoundException", 404, "environment_misconfigured true"],
    ["KMSDisabledException", 502, "environment_misconfigured true"],
    ["ExpiredTokenException", 403, "environment_refused true"],
    ["RequestTooLargeException", 413, "payload_too_large true"],
    ["ServiceException", 500, "environment_unavailable false"],
    ["ENILimitReachedException", 502, "environment_unavailable true"],
  ])("tells %s (%i) apart and does not try again", async (type, status, expected) => {
    const { seen, run } = await setUp(service(type, status));
    expect(brief(await run())).toBe(expected);
    expect(seen).toHaveLength(1);
  });

  it("waits as long as a throttled answer says", async () => {
    const answer = service("TooManyRequestsException", 429) as object;
    const { run } = await setUp({
      ...answer,
      headers: { "x-amzn-errortype": "TooManyRequestsException", "retry-after": "3" },
    });
    expect(await run()).toMatchObject({ retry: { kind: "after", after_ms: 3_000 } });
  });

  it("does not call a broken connection unstarted, and one that never came about it does", async () => {
    const { run } = await setUp("breaks_off");
    expect(brief(await run())).toBe("executor_lost false");
    const unreachable = await setUp("hangs");
    server?.close();
    expect(brief(await unreachable.run())).toBe("environment_unavailable true");
  });

  it("gives up at the time-out, at a cancellation, and on what is too large", async () => {
    const { run, seen } = await setUp("hangs");
    expect(brief(await run(MODULE, { timeoutMs: -900 }))).toBe("timeout false");
    const cancellation = new Cancellation();
    const running = run(MODULE, { cancellation });
    await expect.poll(() => seen.length).toBe(2);
    cancellation.request();
    expect(brief(await running)).toBe("execution_cancelled false");
    expect(brief(await run(OWN, { input: `"${"x".repeat(6_300_000)}"` }))).toBe("payload_too_large true");
  });

  it("proves the permission by a dry run", async () => {
    const { seen, check } = await setUp({ status: 204 });
    expect(await check()).toMatchObject({ reachable: true, allowed: true, missing: [] });
    expect(seen[0]?.headers["x-amz-invocation-type"]).toBe("DryRun");
  });

  it("hands an event the address of its job and follows the report", async () => {
    const { seen, jobs, run } = await setUp({ status: 202 }, { invocation: "event" });
    jobs.at(1_000, () => (jobs.last.report = '{"ok":true,"logs":[]}\n7'));
    expect(await run()).toEqual({ ok: true, output: "7", logs: [] });
    const { url, token } = jobs.last.ticket;
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ job_url: url, job_token: token });
  });
});
