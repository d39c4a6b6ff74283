import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as v from "valibot";
import { FakeJobs } from "../../../test/contracts/fake-jobs.ts";
import { Cancellation } from "../../core/cancellation.ts";
import { SwitchyardError } from "../../core/errors.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Implementation } from "../../model/resolved.ts";
import type { AdapterCall, AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import { createClients } from "./client.ts";
import { LambdaConfigSchema } from "./config.ts";
import { lambdaAdapter } from "./lambda.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "run", language: "javascript" };
const OWN: Implementation = { kind: "lambda", function: "thumbs", qualifier: "live" };
const TRACE = "00-1-2-01";
const SECRETS = { access_key_id: "AKID", secret_access_key: "the-secret", session_token: "the-session" };

const TAIL = [
  "INIT_START Runtime Version: nodejs:22.v1",
  "START RequestId: 1 Version: $LATEST",
  '{"time":"2026-11-29T08:00:00.000Z","type":"platform.start","record":{}}',
  "last words",
  "END RequestId: 1",
  "REPORT RequestId: 1\tDuration: 2 ms",
  "",
].join("\n");

type Seen = { url: string; headers: IncomingHttpHeaders; body: string };
type Answer = { status?: number; body?: string; headers?: Record<string, string> } | "hangs" | "breaks_off";

let server: Server | undefined;
afterEach(() => {
  vi.useRealTimers();
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** Lambda's Invoke on loopback, answering what the test says. */
async function setUp(answer: Answer, config: object = {}, ports: Partial<AdapterPorts> = {}) {
  const seen: Seen[] = [];
  const first = Promise.withResolvers<void>();
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({ url: request.url ?? "", headers: request.headers, body });
      first.resolve();
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
    ...ports,
  } as unknown as AdapterPorts);
  const secrets = { ...SECRETS };
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
  return { seen, arrived: first.promise, jobs, secrets, run, check: () => adapter.check?.(environment) };
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

function failing(code: string): never {
  throw new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) });
}
function noNetwork(): never {
  throw new SwitchyardError("environment_misconfigured", "no such network");
}

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
    const headers = { "x-amz-function-error": "Unhandled", "x-amz-log-result": btoa(TAIL) };
    const { run } = await setUp({ headers, body: JSON.stringify({ errorType, errorMessage }) }, {}, { now: () => 77 });
    const outcome = await run(OWN);
    expect(brief(outcome)).toBe(expected);
    expect(outcome.logs).toEqual([{ level: "info", message: "last words", at_ms: 77 }]);
  });

  it("keeps what a function wrote that succeeded, at the time of the call, without Lambda's own lines", async () => {
    const { run, seen } = await setUp(
      { headers: { "x-amz-log-result": btoa(TAIL) }, body: "7" },
      {},
      { now: () => 77 },
    );
    expect(await run(OWN)).toEqual({
      ok: true,
      output: "7",
      logs: [{ level: "info", message: "last words", at_ms: 77 }],
    });
    expect(seen[0]?.headers["x-amz-log-type"]).toBe("Tail");
  });

  it.each([
    ["TooManyRequestsException", 429, "environment_throttled true"],
    ["ResourceNotFoundException", 404, "environment_misconfigured true"],
    ["KMSDisabledException", 502, "environment_misconfigured true"],
    ["ExpiredTokenException", 403, "environment_refused true"],
    ["RequestTooLargeException", 413, "payload_too_large true"],
    ["ENILimitReachedException", 502, "environment_unavailable true"],
    ["ResourceConflictException", 409, "environment_unavailable true"],
    ["InvalidParameterValueException", 400, "environment_misconfigured true"],
    ["InvalidRequestContentException", 400, "environment_misconfigured true"],
    ["UnsupportedMediaTypeException", 415, "environment_misconfigured true"],
    // What may have run, and what this version does not know.
    ["ServiceException", 500, "executor_lost false"],
    ["EC2UnexpectedException", 502, "executor_lost false"],
    ["EFSIOException", 410, "environment_misconfigured false"],
    ["SnapStartException", 400, "environment_misconfigured false"],
    ["BrandNewException", 400, "environment_misconfigured false"],
    ["BrandNewException", 403, "environment_refused false"],
    ["BrandNewException", 503, "executor_lost false"],
    ["toString", 418, "environment_misconfigured false"],
  ])("tells %s (%i) apart and does not try again", async (type, status, expected) => {
    const { seen, run } = await setUp(service(type, status));
    expect(brief(await run())).toBe(expected);
    expect(seen).toHaveLength(1);
  });

  it("does not call an answer unstarted that is not Lambda's own", async () => {
    const { run } = await setUp({ status: 502, headers: { "content-type": "text/html" }, body: "<h1>no</h1>" });
    expect(brief(await run())).toBe("executor_lost false");
  });

  it("waits as long as a throttled answer says", async () => {
    const answer = service("TooManyRequestsException", 429) as object;
    const { run } = await setUp({
      ...answer,
      headers: { "x-amzn-errortype": "TooManyRequestsException", "retry-after": "3" },
    });
    expect(await run()).toMatchObject({ retry: { kind: "after", after_ms: 3_000 } });
  });

  it.each<[string, () => never | Promise<never>, string]>([
    ["Node finds no name", () => failing("ENOTFOUND"), "environment_unavailable true"],
    ["Node is refused the connection", () => failing("ECONNREFUSED"), "environment_unavailable true"],
    ["Node's connection is reset", () => failing("ECONNRESET"), "executor_lost false"],
    [
      "workerd finds no name",
      () => Promise.reject(new Error("internal error; reference = x")),
      "environment_unavailable true",
    ],
    ["workerd's connection breaks", () => Promise.reject(new Error("Network connection lost.")), "executor_lost false"],
    ["a port has no such network", () => noNetwork(), "environment_misconfigured true"],
  ])("tells apart whether anything was sent when %s", async (_what, send, expected) => {
    const { run } = await setUp({}, {}, { fetchOn: () => async () => send() });
    expect(brief(await run(OWN))).toBe(expected);
  });

  it("keeps what the platform's own port says: nothing has run", async () => {
    const { run, check } = await setUp({}, {}, { fetchOn: () => noNetwork() });
    expect(brief(await run())).toBe("environment_misconfigured true");
    expect(await check()).toMatchObject({ reachable: false, missing: ["no such network"] });
  });

  it("calls a mistake of its own internal, and nothing else", async () => {
    const { run } = await setUp({}, { region: 7 });
    expect(brief(await run())).toBe("internal false");
  });

  it("does not call a broken connection unstarted, and one that never came about it does", async () => {
    const { run } = await setUp("breaks_off");
    expect(brief(await run())).toBe("executor_lost false");
    const unreachable = await setUp("hangs");
    server?.close();
    expect(brief(await unreachable.run())).toBe("environment_unavailable true");
  });

  it.each([
    ["text", "hello"],
    ["another object", '{"statusCode":200}'],
    ["nothing", ""],
  ])("names the function when the host answers %s", async (_what, body) => {
    const { run } = await setUp({ body }, { function: "not-a-host" });
    const outcome = await run();
    expect(outcome).toMatchObject({ error: { detail: expect.stringContaining('"not-a-host"') } });
    expect(brief(outcome)).toBe("environment_misconfigured false");
  });

  it("takes only JSON from a function of the team's own", async () => {
    const { run } = await setUp({ body: "hello" });
    expect(brief(await run(OWN))).toBe("output_not_json false");
  });

  it("gives up a second after the time-out, and no sooner", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { run, arrived } = await setUp("hangs");
    const running = run(MODULE, { timeoutMs: 20_000 });
    await arrived;
    await vi.advanceTimersByTimeAsync(20_999);
    expect(await Promise.race([running, Promise.resolve("waits")])).toBe("waits");
    await vi.advanceTimersByTimeAsync(1);
    expect(brief(await running)).toBe("timeout false");
  });

  it("gives up at a cancellation, and sends nothing that is cancelled or too large", async () => {
    const { run, seen, arrived } = await setUp("hangs");
    const cancellation = new Cancellation();
    const running = run(MODULE, { cancellation });
    await arrived;
    cancellation.request();
    expect(brief(await running)).toBe("execution_cancelled false");
    expect(brief(await run(MODULE, { cancellation }))).toBe("execution_cancelled true");
    expect(brief(await run(OWN, { input: `"${"x".repeat(6_300_000)}"` }))).toBe("payload_too_large true");
    expect(seen).toHaveLength(1);
  });

  it("has the host fetch a large input, and fetches its large output", async () => {
    const kept = new Map<string, string>([["out", '"large"']]);
    const artifacts = {
      put: async (_execution: string, text: string) => (kept.set("in", text), "in"),
      text: async (id: string) => kept.get(id) ?? "",
    };
    const reply = '{"ok":true,"logs":[],"output_artifact":"out"}\n';
    const ports = { artifacts, platformUrl: "https://platform.test" };
    const { run, seen } = await setUp({ body: JSON.stringify({ reply }) }, {}, ports);
    const input = `"${"x".repeat(4_000_000)}"`;
    expect(await run(MODULE, { input })).toMatchObject({ ok: true, output: '"large"' });
    expect(kept.get("in")).toBe(input);
    expect(seen[0]?.body.length).toBeLessThan(10_000);
    expect((JSON.parse(seen[0]?.body ?? "") as { order: string }).order).toContain('"input_artifact":"in"');
  });

  it("signs with the credentials of the moment", async () => {
    const { run, seen, secrets } = await setUp({ body: "1" });
    await run(OWN);
    Object.assign(secrets, { access_key_id: "NEXT", session_token: "renewed" });
    await run(OWN);
    expect(seen.map(({ headers }) => headers["x-amz-security-token"])).toEqual(["the-session", "renewed"]);
    expect(seen[1]?.headers.authorization).toContain("Credential=NEXT/");
  });

  it("keeps one client per environment, and drops it when the credentials are replaced", async () => {
    const clientOf = createClients({ fetchOn: () => fetch });
    const config = v.parse(LambdaConfigSchema, { region: "eu-central-1" });
    const named = (name: string, token: string) =>
      clientOf(
        {
          name,
          digest: "d",
          openSecrets: async () => ({ ...SECRETS, session_token: token }),
        } as unknown as EnvironmentHandle,
        config,
      );
    const first = await named("aws", "1");
    const other = await named("other", "1");
    expect(await named("aws", "1")).toBe(first);
    const second = await named("aws", "2");
    expect(second).not.toBe(first);
    expect(await named("aws", "1")).not.toBe(first);
    expect(await named("other", "1")).toBe(other);
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

  it.each([
    ["TooManyRequestsException", 429, "environment_throttled true"],
    // It may have been taken: a second event would run twice, so the first one is followed.
    ["ServiceException", 500, "ok"],
  ])("follows an event that was answered with %s only where it may have been taken", async (type, status, expected) => {
    const { seen, jobs, run } = await setUp(service(type, status), { invocation: "event" });
    jobs.at(1_000, () => (jobs.last.report = '{"ok":true,"logs":[]}\n7'));
    expect(brief(await run())).toBe(expected);
    expect(seen).toHaveLength(1);
  });
});
