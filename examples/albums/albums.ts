/**
 * A small HTTP API over a list of albums, for Deno (run-deno.sh): see openapi/albums.yaml. Listens on $HOST:$PORT. The albums are in memory
 * and end with the process. SIGTERM: no new connections, the requests that have begun are answered, then it ends with 0.
 */

/** What is used of Deno, for editors that know other runtimes. */
declare const Deno: {
  env: { get(name: string): string | undefined };
  addSignalListener(signal: "SIGTERM" | "SIGINT", listener: () => void): void;
  serve(
    options: { hostname: string; port: number; onListen(address: { port: number }): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> };
};

type Fields = { title: string; artist: string; year: number };
export type Album = { album_id: number } & Fields;

const MAX_BODY_BYTES = 8192;
const MAX_ALBUMS = 1000;
const FIELDS: readonly string[] = ["title", "artist", "year"];
// oxlint-disable-next-line no-control-regex -- they are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;
const TITLES: Readonly<Record<number, string>> = {
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  422: "Unprocessable Content",
};

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

const albums = new Map<number, Album>();
let lastId = 0;
let underWay = 0;
let ending = false;
add({ title: "Kind of Blue", artist: "Miles Davis", year: 1959 });
add({ title: "Blue", artist: "Joni Mitchell", year: 1971 });
add({ title: "Bitches Brew", artist: "Miles Davis", year: 1970 });

function add(fields: Fields): Album {
  if (albums.size >= MAX_ALBUMS) throw new Refusal(422, `there may be at most ${MAX_ALBUMS} albums`);
  return put(++lastId, fields);
}

function put(id: number, fields: Fields): Album {
  const album = { album_id: id, ...fields };
  albums.set(id, album);
  return album;
}

function get(id: number): Album {
  const album = albums.get(id);
  if (album === undefined) throw new Refusal(404, `there is no album ${id}`);
  return album;
}

async function readAlbum(request: Request): Promise<Fields> {
  const bytes = await readBody(request);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new Refusal(422, "the body must be JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(422, "the body must be an object");
  }
  if (!Object.keys(value).every((name) => FIELDS.includes(name))) {
    throw new Refusal(422, `the body may have ${FIELDS.join(", ")} and nothing else`);
  }
  const { title, artist, year } = value as Record<string, unknown>;
  const texts = { title: checkText("title", title), artist: checkText("artist", artist) };
  if (typeof year === "number" && Number.isInteger(year) && year >= 1860 && year <= 2100) return { ...texts, year };
  throw new Refusal(422, "year must be an integer from 1860 to 2100");
}

async function readBody(request: Request): Promise<Uint8Array> {
  const tooLarge = (): Refusal => new Refusal(413, `the body may have at most ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function checkText(name: string, value: unknown): string {
  const isText = typeof value === "string" && value.isWellFormed() && !CONTROL.test(value);
  // In characters as people count them, not in halves of them.
  const length = isText ? Array.from(value).length : 0;
  if (isText && length >= 1 && length <= 200) return value;
  throw new Refusal(422, `${name} must be a text of 1 to 200 characters, none of them a control character`);
}

type Methods = Readonly<Record<string, () => Response | Promise<Response>>>;

function methodsAt(request: Request): Methods {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/health") return { GET: () => Response.json({ status: "ok" }) };
  if (pathname === "/albums") {
    const artist = searchParams.get("artist");
    return {
      GET: () => {
        const found = Array.from(albums.values()).filter((album) => artist === null || album.artist === artist);
        return Response.json({ albums: found });
      },
      POST: async () => {
        const album = add(await readAlbum(request));
        return Response.json(album, { status: 201, headers: { location: `/albums/${album.album_id}` } });
      },
    };
  }
  const id = Number(/^\/albums\/([1-9][0-9]{0,8})$/.exec(pathname)?.[1]);
  if (Number.isNaN(id)) throw new Refusal(404, "there is nothing at this path");
  return {
    GET: () => Response.json(get(id)),
    PUT: async () => {
      const fields = await readAlbum(request);
      get(id);
      return Response.json(put(id, fields));
    },
    DELETE: () => {
      albums.delete(get(id).album_id);
      return new Response(null, { status: 204 });
    },
  };
}

async function answer(request: Request): Promise<Response> {
  underWay++;
  try {
    const methods = methodsAt(request);
    const allowed = Object.keys(methods).join(", ");
    const found = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
    return closing((await found?.()) ?? problem(405, `this path takes ${allowed}`, { allow: allowed }));
  } catch (error) {
    if (error instanceof Refusal) return closing(problem(error.status, error.message));
    throw error;
  } finally {
    underWay--;
    if (ending && underWay === 0) void server.shutdown();
  }
}

function closing(response: Response): Response {
  if (ending) response.headers.set("connection", "close");
  return response;
}

function problem(status: number, detail: string, more: Record<string, string> = {}): Response {
  const value = { type: "about:blank", title: TITLES[status] ?? "Bad Request", status, detail };
  return Response.json(value, { status, headers: { "content-type": "application/problem+json", ...more } });
}

const server = Deno.serve(
  {
    hostname: Deno.env.get("HOST") ?? "127.0.0.1",
    port: Number(Deno.env.get("PORT") ?? 8080),
    onListen: ({ port }) => console.error(`albums, in TypeScript, on port ${port}`),
  },
  answer,
);
/** Deno 2.9 breaks the bodies off that shutdown() finds half read (denoland/deno#36809), so it comes when none is. */
function end(): void {
  ending = true;
  if (underWay === 0) void server.shutdown();
}
for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, end);
