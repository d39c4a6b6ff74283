/**
 * A platform in memory for tests of opctl: the registry's HTTP rules (ETag, If-Match, merge patch, revisions) and
 * operations answered by functions. It knows nothing about types or code; the real one is tested in test/e2e.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { digestOf } from "../../src/core/hash.ts";
import { SwitchyardError, type ErrorCode } from "../../src/core/errors.ts";
import { problem, send, type Seen, type Target } from "./_answer.ts";
import type { ServiceStatusView } from "../../src/registry/builtins/service-functions.ts";
import { kindOfPlural } from "../../src/model/entities.ts";
import { accept, answerExecutions, createFakeExecutions, type FakeExecutions } from "./fake-executions.ts";

type Json = Record<string, unknown>;
type Stored = { content: Json; revision: number; by: string };

export type FakePlatform = {
  url: string;
  /** Every request, in order. */
  seen: Seen[];
  /** `type echo_input` → what is stored. */
  entries: Map<string, Stored>;
  code: Map<string, string>;
  /** Operations by name; a thrown string is an error code. */
  operations: Map<string, { inputSchema: unknown; run: (input: Json) => unknown; revision?: number; async?: boolean }>;
  executions: FakeExecutions;
  /** What is found of environments, by name. */
  checks: Map<string, Json>;
  /** What services are at, by name. */
  services: Map<string, ServiceStatusView>;
  /** Of routes that it knows nothing of: `POST /agents/counters/plan` → its answer, or its refusal. */
  answers: Map<string, unknown>;
  /** Why a write is refused, by a rule over what is stored; undefined: it is not. */
  rule: (seen: Seen) => string | undefined;
  /** Routes that the token may not use: `GET /registry/services`. */
  refuses: Set<string>;
  /** Runs before each request is answered: to get in between. */
  before: (seen: Seen) => void | Promise<void>;
  put(kind: string, content: Json & { name: string }, by?: string): void;
  close(): Promise<void>;
};

export async function startFakePlatform(): Promise<FakePlatform> {
  const platform: FakePlatform = {
    url: "",
    seen: [],
    entries: new Map(),
    code: new Map(),
    operations: new Map(),
    executions: createFakeExecutions(),
    checks: new Map(),
    services: new Map(),
    answers: new Map(),
    rule: () => undefined,
    refuses: new Set(),
    before: () => undefined,
    put: (kind, content, by = "tok_1") => {
      const old = platform.entries.get(`${kind} ${content.name}`);
      platform.entries.set(`${kind} ${content.name}`, { content, revision: (old?.revision ?? 0) + 1, by });
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  const server = createServer((request, response) => {
    void answer(platform, request, response).catch((error: unknown) => {
      problem(response, "internal", String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  platform.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return platform;
}

async function answer(platform: FakePlatform, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += String(chunk);
  const seen: Seen = { method: request.method ?? "", path: request.url ?? "", body, headers: request.headers };
  platform.seen.push(seen);
  await platform.before(seen);
  if (request.headers.authorization !== "Bearer sy_test")
    return problem(response, "token_unknown", "Cannot accept the token");
  const url = new URL(seen.path, platform.url);
  const target = `${seen.method} ${url.pathname}`;
  if (platform.refuses.has(target)) return problem(response, "forbidden", `Cannot use ${target}`);
  const given = platform.answers.get(target);
  if (given instanceof SwitchyardError) return problem(response, given.code, given.message);
  if (given !== undefined) return send(response, 200, given);
  const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
  if (parts[0] === "health") return send(response, 200, { status: "ok", registry: "ok", version: "0.1.0" });
  if (parts[0] === "ops") return answerOperation(platform, seen, { name: parts[1] ?? "", response });
  if (parts[0] === "executions" || parts[0] === "artifacts") {
    return answerExecutions(platform.executions, seen, { parts, url, response });
  }
  if (parts[0] === "environments") {
    const check = platform.checks.get(parts[1] ?? "");
    if (check === undefined) return problem(response, "entity_not_found", `Cannot check "${parts[1]}"`);
    return send(response, 200, check);
  }
  if (parts[0] === "services") {
    const status = platform.services.get(parts[1] ?? "");
    if (status === undefined) return problem(response, "not_supported", `Cannot run "${parts[1]}" yet`);
    if (parts[2] === "events") {
      const fresh = status.events.filter(({ seq }) => seq > Number(url.searchParams.get("after")));
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(fresh.map((event) => `event: happened\ndata: ${JSON.stringify(event)}\n\n`).join(""));
      return;
    }
    return send(response, 200, status);
  }
  if (parts[0] === "modules") {
    if (seen.method === "PUT") platform.code.set(parts[1] ?? "", body);
    response.end(platform.code.get(parts[1] ?? "") ?? "");
    return;
  }
  return answerRegistry(platform, seen, { parts, url, response });
}

function answerOperation(
  platform: FakePlatform,
  seen: Seen,
  { name, response }: { name: string; response: ServerResponse },
): void {
  const operation = platform.operations.get(name.split("@")[0] ?? "");
  if (operation === undefined)
    return problem(response, "operation_not_found", `Cannot call "${name}": it must be registered`);
  if (seen.method === "GET")
    return send(response, 200, {
      name,
      revision: operation.revision ?? 1,
      input_schema: operation.inputSchema,
      output_schema: true,
    });
  if (operation.async === true || seen.headers.prefer?.includes("respond-async") === true)
    return accept(platform.executions, name, response);
  try {
    send(response, 200, operation.run(JSON.parse(seen.body) as Json));
  } catch (error) {
    problem(response, error as ErrorCode, `Cannot finish "${name}"`);
  }
}

async function answerRegistry(platform: FakePlatform, seen: Seen, { parts, url, response }: Target): Promise<void> {
  const [, plural = "", name, verb] = parts;
  const kind = kindOfPlural(plural) ?? "";
  const key = `${kind} ${name}`;
  if (name === undefined) {
    const limit = Number(url.searchParams.get("limit") ?? 100);
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const all = [...platform.entries.entries()]
      .filter(([each]) => each.startsWith(`${kind} `))
      .map(([, stored]) => stored);
    const items = await Promise.all(all.slice(from, from + limit).map(view));
    return send(response, 200, { items, next_cursor: from + limit < all.length ? String(from + limit) : null });
  }
  const stored = platform.entries.get(key);
  const body = seen.body === "" ? {} : (JSON.parse(seen.body) as Json);
  const etag = stored === undefined ? undefined : `"${(await view(stored)).meta.digest}"`;
  if (seen.headers["if-none-match"] === "*" && stored !== undefined)
    return problem(response, "precondition_failed", "it exists");
  if (seen.headers["if-match"] !== undefined && seen.headers["if-match"] !== etag)
    return problem(response, "precondition_failed", `Cannot change the ${key}: it has changed`);
  if (stored === undefined && seen.method !== "PUT")
    return problem(response, "entity_not_found", `Cannot find the ${kind} "${name}"`);
  const refusal = seen.method === "GET" ? undefined : platform.rule(seen);
  if (refusal !== undefined) return problem(response, "definition_invalid", refusal);
  if (verb === "revisions") return send(response, 200, { items: [await view(stored as Stored)], next_cursor: null });
  if (seen.method === "DELETE") {
    platform.entries.delete(key);
    return send(response, 200, {});
  }
  if (verb === "duplicate") platform.put(kind, { ...(stored as Stored).content, ...body } as Json & { name: string });
  else if (verb === "rollback") platform.put(kind, { ...(stored as Stored).content, name });
  else if (seen.method === "PUT") platform.put(kind, { ...body, name });
  else if (seen.method === "PATCH")
    platform.put(kind, merge((stored as Stored).content, body) as Json & { name: string });
  const now = await view(
    platform.entries.get(verb === "duplicate" ? `${kind} ${String(body["name"])}` : key) as Stored,
  );
  return send(
    response,
    200,
    kind === "token" && seen.method === "PUT" ? { ...now, token: "sy_new_secret" } : now,
    `"${now.meta.digest}"`,
  );
}

async function view({ content, revision, by }: Stored) {
  const at = "2026-11-21T00:00:00Z";
  const digest = await digestOf({ content, revision });
  const meta = {
    revision,
    digest,
    created_at: at,
    updated_at: at,
    updated_by: by,
    ...(content["code"] === undefined
      ? {}
      : { resolved: { input_type: "in", output_type: "out", code_sha256: content["code"] } }),
  };
  const { code: _, ...shown } = content;
  return { ...shown, meta };
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Json = typeof target === "object" && target !== null ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged[key] = null;
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}
