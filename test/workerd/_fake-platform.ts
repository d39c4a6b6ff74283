/** What the handlers in the executor's tests reach through ctx: just enough of the edge's routes, and a memory of what was asked. */

type Asked = {
  method: string;
  path: string;
  headers: Record<string, string>;
  /** Text of JSON requests. */
  body: unknown;
};

const asked: Asked[] = [];
const artifacts = new Map<string, { bytes: Uint8Array<ArrayBuffer>; type: string }>();
const waits = new Map<string, number>();
const TOLD = ["authorization", "caller-execution", "content-length", "idempotency-key", "prefer", "traceparent"];

const problem = (status: number, code: string, more: object = {}) =>
  Response.json({ code, detail: "Cannot find it", ...more }, { status });

export async function fakePlatform(request: Request): Promise<Response | undefined> {
  const { pathname, search, searchParams } = new URL(request.url);
  if (pathname === "/asked") {
    const id = searchParams.get("execution");
    return Response.json(asked.filter(({ headers }) => headers["caller-execution"] === id));
  }
  const [, kind, id = "", part] = pathname.split("/");
  if (kind !== "ops" && kind !== "executions" && kind !== "artifacts") return undefined;
  const headers = Object.fromEntries(TOLD.flatMap((name) => [[name, request.headers.get(name) ?? ""] as const]));
  const isJson = part !== "artifacts" && request.method === "POST";
  const text = isJson ? await request.text() : "";
  const body: unknown = text === "" ? null : JSON.parse(text);
  asked.push({ method: request.method, path: pathname + search, headers, body });

  if (kind === "ops") {
    if (id === "missing") return problem(404, "operation_not_found", { hint: "look again" });
    if (id.startsWith("later")) return Response.json({ execution_id: `ex_00_${id}` }, { status: 202 });
    if (id === "looks-like-one") return Response.json({ execution_id: "ex_00_x", accepted: "ex_00_x", ok: true });
    return Response.json({ called: pathname, with: body, bearer: headers["authorization"] });
  }
  if (kind === "artifacts") {
    const found = artifacts.get(id);
    if (found === undefined) return problem(404, "entity_not_found");
    return new Response(found.bytes, {
      headers: { "content-type": found.type, "content-length": String(found.bytes.length) },
    });
  }
  switch (part) {
    case "output": {
      if (id.endsWith("fails")) return problem(502, "implementation_failed", { detail: "boo" });
      const waited = waits.get(id) ?? 0;
      waits.set(id, waited + 1);
      return waited < 2 ? problem(409, "execution_unfinished") : Response.json({ done: id });
    }
    case "cancel":
      return id.endsWith("fails") ? problem(409, "execution_final") : Response.json({ id, status: "cancelled" });
    case "artifacts":
      return Response.json(await keep(request.body, searchParams.get("content_type") ?? "application/octet-stream"));
    case "logs":
      // Nobody who sends them may mind.
      return problem(503, "state_unavailable");
    default:
      return undefined;
  }
}

async function keep(body: ReadableStream<Uint8Array> | null, type: string): Promise<object> {
  const hash = new crypto.DigestStream("SHA-256");
  const writer = hash.getWriter();
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body ?? []) {
    await writer.write(piece);
    size += piece.byteLength;
    if (size <= 4 * 1024 * 1024) kept.push(piece);
  }
  await writer.close();
  const id = `ar_00_${artifacts.size}`;
  artifacts.set(id, { bytes: new Uint8Array(await new Blob(kept).arrayBuffer()), type });
  const sha256 = [...new Uint8Array(await hash.digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { artifact_id: id, sha256, size_bytes: size };
}
