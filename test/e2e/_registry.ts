/** The registry's routes, as tests ask them: JSON in, JSON out. */
import { expect } from "vitest";
import type { Dev } from "./_platform.ts";

export type Json = Record<string, unknown>;
export type Answer = { status: number; body: Json; headers: Headers };
export type Page = { items: (Json & { name: string; meta: Json })[]; next_cursor: string | null };

export function registryOf(dev: () => Dev) {
  async function send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await dev().request(path, { method, headers, ...sent });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? {} : (JSON.parse(text) as Json) };
  }

  /** As send(), and it must have gone well. */
  async function done(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await send(method, path, body);
    expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBe(200);
    return answer;
  }

  return { send, done, list: async (path: string): Promise<Page> => (await done("GET", path)).body as Page };
}

export function etagOf({ headers }: Answer): string {
  return headers.get("etag") ?? "no etag";
}

export function revisionOf({ body }: Answer): unknown {
  return (body["meta"] as Json)["revision"];
}
