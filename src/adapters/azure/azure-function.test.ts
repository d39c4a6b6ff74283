/** Functions by Entra token: cached, renewed once when refused, and the work runs once. */
import { expect, it } from "vitest";
import type { AdapterCall, AdapterPorts, EnvironmentHandle } from "../adapter.ts";
import { azureFunctionAdapter } from "./azure-function.ts";

function world(config: Record<string, unknown>, secrets: Record<string, string>, tokenStatus = 200) {
  const seen = { tokens: 0, runs: 0, valid: "t1" };
  const send = async (request: Request): Promise<Response> => {
    if (request.url.includes("/token")) {
      const form = new URLSearchParams(await request.text());
      if (tokenStatus !== 200) return Response.json({ error_description: "expired secret" }, { status: tokenStatus });
      expect(Object.fromEntries(form)).toEqual({
        grant_type: "client_credentials",
        client_id: "c",
        client_secret: "s",
        scope: "api://x/.default",
      });
      return Response.json({ access_token: `t${++seen.tokens}`, expires_in: 3600 });
    }
    const key = request.headers.get("x-functions-key");
    if (key !== "k" && request.headers.get("authorization") !== `Bearer ${seen.valid}`)
      return new Response(null, { status: 401 });
    seen.runs++;
    return Response.json(1);
  };
  const adapter = azureFunctionAdapter({ now: () => 0, fetchOn: () => send } as unknown as AdapterPorts);
  const environment = {
    name: "az",
    config: { url: "http://az.invalid", ...config },
    openSecrets: () => Promise.resolve(secrets),
  };
  const call = {
    operation: { name: "tested", implementation: { kind: "http", url: "/api/f", method: "POST" } },
    environment: environment as unknown as EnvironmentHandle,
    meta: { execution_id: "ex_1", attempt: 1, traceparent: "00-1-2-01", timeout_ms: 1_000 },
    input: "{}",
  } as unknown as AdapterCall;
  return { seen, invoke: () => adapter.invoke(call) };
}
const ENTRA = {
  auth: "entra",
  tenant_id: "t",
  client_id: "c",
  scope: "api://x/.default",
  token_url: "http://login.invalid/token",
};

it("azure-function calls with a function key", async () => {
  expect(await world({}, { function_key: "k" }).invoke()).toMatchObject({ ok: true, output: "1" });
});

it("azure-function keeps an Entra token, renews it once when it is refused mid-run, and runs the work once", async () => {
  const { seen, invoke } = world(ENTRA, { client_secret: "s" });
  await invoke();
  await invoke();
  expect(seen).toMatchObject({ tokens: 1, runs: 2 });
  seen.valid = "t2";
  expect(await invoke()).toMatchObject({ ok: true });
  expect(seen).toMatchObject({ tokens: 2, runs: 3 });
});

it("azure-function says that nothing has run when Entra refuses the client, without naming its secret", async () => {
  const outcome = await world(ENTRA, { client_secret: "s-e-c-r-e-t" }, 401).invoke();
  expect(outcome).toMatchObject({ unstarted: true, error: { code: "environment_refused" }, retry: { kind: "may" } });
  expect(JSON.stringify(outcome)).not.toContain("s-e-c-r-e-t");
});
