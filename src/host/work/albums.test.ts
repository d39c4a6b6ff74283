/** The three servers of examples/albums, each by itself: one table of requests, and how they end. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const FOLDER = path.resolve("examples/albums");
const scratch = mkdtempSync(path.join(tmpdir(), "albums-"));
const hasCompiler = spawnSync("cc", ["--version"], { stdio: "ignore" }).status === 0;
if (!hasCompiler) {
  if (process.env["CI"] !== undefined) throw new Error("cc must be there in CI; apt-get install gcc");
  console.warn("SKIPPED: there is no cc on this machine, so nobody has tried examples/albums/albums.c");
}

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const LANGUAGES = [
  { language: "Python", command: () => [path.join(FOLDER, "albums.py")], there: true },
  { language: "Deno", command: () => [path.join(FOLDER, "run-deno.sh"), "albums.ts"], there: true },
  { language: "C", command: buildC, there: hasCompiler },
];

function buildC(): string[] {
  const program = path.join(scratch, "albums");
  execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", program, path.join(FOLDER, "albums.c")]);
  return [program];
}

/** As a runner starts it: no shell, an empty folder, hardly a variable. */
async function start([program = "", ...words]: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(program, words, {
    cwd: scratch,
    env: { PATH: process.env["PATH"] ?? "", HOME: scratch, HOST: "127.0.0.1", PORT: "0" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  for await (const chunk of child.stderr.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    said += chunk as string;
    const port = /on port (\d+)\n/.exec(said)?.[1];
    if (port !== undefined) return { child, port: Number(port) };
  }
  throw new Error(`${program} ended: ${said}`);
}

const BLUE = { album_id: 2, title: "Blue", artist: "Joni Mitchell", year: 1971 };
const NEW = { title: 'Bl\u00e5 \u{1f3b7} "\\/', artist: "Miles Davis", year: 1959 };
const BITCHES_BREW = { album_id: 3, title: "Bitches Brew", artist: "Miles Davis", year: 1970 };
const BAD_TITLE = "title must be a text of 1 to 200 characters, none of them a control character";
const BAD_ARTIST = BAD_TITLE.replace("title", "artist");
const BAD_YEAR = "year must be an integer from 1860 to 2100";
const NOT_JSON = "the body must be JSON";

type Case = [request: string, body: unknown, status: number, answer: unknown, headers?: Record<string, string>];
/** In this order, against one process. A text is sent as it stands. */
const CASES: Case[] = [
  ["GET /health", undefined, 200, { status: "ok" }],
  ["GET /health?x=1", undefined, 200, { status: "ok" }],
  ["GET /albums?artist=Joni+Mitchell", undefined, 200, { albums: [BLUE] }],
  ["GET /albums?x=%zz&artist=Joni%20Mitchell&artist=Miles+Davis", undefined, 200, { albums: [BLUE] }],
  ["GET /albums?artist=", undefined, 200, { albums: [] }],
  ["GET /albums?artists=Joni+Mitchell&artist=%00", undefined, 200, { albums: [] }],
  ["GET /albums/2", undefined, 200, BLUE, { "content-type": "application/json" }],
  ["GET /albums/02", undefined, 404, "there is nothing at this path"],
  ["GET /albums/0", undefined, 404, "there is nothing at this path"],
  ["GET /albums/9", undefined, 404, "there is no album 9"],
  ["GET /albums/1234567890", undefined, 404, "there is nothing at this path"],
  ["GET /albums/", undefined, 404, "there is nothing at this path"],
  ["GET /", undefined, 404, "there is nothing at this path"],
  ["PATCH /albums/2", "{}", 405, "this path takes GET, PUT, DELETE", { allow: "GET, PUT, DELETE" }],
  ["DELETE /albums", undefined, 405, "this path takes GET, POST", { allow: "GET, POST" }],
  ["POST /health", "{}", 405, "this path takes GET", { allow: "GET" }],
  ["POST /albums", NEW, 201, { album_id: 4, ...NEW }, { location: "/albums/4" }],
  ["GET /albums/4", undefined, 200, { album_id: 4, ...NEW }],
  [
    "POST /albums",
    String.raw`{"title":"\u0041\ud83c\udfb7","artist":"\"\\\/","year":1.959e3}`,
    201,
    { album_id: 5, title: "A\u{1f3b7}", artist: '"\\/', year: 1959 },
  ],
  ["POST /albums", ' {"title":"x", "title":"y","artist":"\u{1f3b7}".repeat, "year":1959}', 422, NOT_JSON],
  [
    "POST /albums",
    ' {"year":1,"title":"x", "title":"y","artist":"z", "year":1959} \n',
    201,
    { album_id: 6, title: "y", artist: "z", year: 1959 },
  ],
  [
    "POST /albums",
    { ...NEW, title: "\u{1f3b7}".repeat(200) },
    201,
    { ...NEW, album_id: 7, title: "\u{1f3b7}".repeat(200) },
  ],
  ["POST /albums", { ...NEW, title: "\u{1f3b7}".repeat(201) }, 422, BAD_TITLE],
  ["POST /albums", { ...NEW, title: "" }, 422, BAD_TITLE],
  ["POST /albums", { ...NEW, title: "a\u0000b" }, 422, BAD_TITLE],
  ["POST /albums", { ...NEW, title: "a\u007fb" }, 422, BAD_TITLE],
  ["POST /albums", { ...NEW, title: ["a"] }, 422, BAD_TITLE],
  ["POST /albums", String.raw`{"title":"\ud83c","artist":"a","year":1959}`, 422, BAD_TITLE],
  ["POST /albums", String.raw`{"title":"\udfb7\ud83c","artist":"a","year":1959}`, 422, BAD_TITLE],
  ["POST /albums", { title: "a", year: 1959 }, 422, BAD_ARTIST],
  ["POST /albums", { title: "a", artist: null, year: 1959 }, 422, BAD_ARTIST],
  ["POST /albums", { ...NEW, year: 1959.5 }, 422, BAD_YEAR],
  ["POST /albums", { ...NEW, year: true }, 422, BAD_YEAR],
  ["POST /albums", { ...NEW, year: "1959" }, 422, BAD_YEAR],
  ["POST /albums", { ...NEW, year: 1859 }, 422, BAD_YEAR],
  ["POST /albums", { ...NEW, year: 2101 }, 422, BAD_YEAR],
  ["POST /albums", '{"title":"a","artist":"a","year":1e999}', 422, BAD_YEAR],
  ["POST /albums", '{"title":"a","artist":"a","year":01959}', 422, NOT_JSON],
  ["POST /albums", '{"title":"a","artist":"a","year":NaN}', 422, NOT_JSON],
  ["POST /albums", '{"title":"a","artist":"a","year":1959.}', 422, NOT_JSON],
  ["POST /albums", '{"title":"a","artist":"a","year":1959,}', 422, NOT_JSON],
  ["POST /albums", '{"title":"a\n","artist":"a","year":1959}', 422, NOT_JSON],
  ["POST /albums", '{"title":"a","artist":"a","year":1959}}', 422, NOT_JSON],
  ["POST /albums", '{"title":"a","artist":"a","year":1959', 422, NOT_JSON],
  ["POST /albums", String.raw`{"title":"\x","artist":"a","year":1959}`, 422, NOT_JSON],
  ["POST /albums", Buffer.from('{"title":"\xe9","artist":"a","year":1959}', "latin1"), 422, NOT_JSON],
  ["POST /albums", "", 422, NOT_JSON],
  ["POST /albums", "[]", 422, "the body must be an object"],
  ["POST /albums", "null", 422, "the body must be an object"],
  [
    "POST /albums",
    { ...NEW, label: { a: [1, "x", null, true, -0.5e-1] } },
    422,
    "the body may have title, artist, year and nothing else",
  ],
  ["POST /albums", "x".repeat(10_000), 413, "the body may have at most 8192 bytes"],
  ["PUT /albums/2", { ...NEW, title: "Blue again" }, 200, { ...NEW, album_id: 2, title: "Blue again" }],
  ["PUT /albums/99", NEW, 404, "there is no album 99"],
  ["PUT /albums/99", {}, 422, BAD_TITLE],
  ["DELETE /albums/1", undefined, 204, undefined],
  ["DELETE /albums/1", undefined, 404, "there is no album 1"],
  [
    "GET /albums?artist=Miles%20Davis",
    undefined,
    200,
    {
      albums: [
        { ...NEW, album_id: 2, title: "Blue again" },
        BITCHES_BREW,
        { ...NEW, album_id: 4 },
        { ...NEW, album_id: 7, title: "\u{1f3b7}".repeat(200) },
      ],
    },
  ],
];

describe.each(LANGUAGES)("examples/albums in $language", ({ command, there }) => {
  let server: Awaited<ReturnType<typeof start>>;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

  beforeAll(async () => {
    if (there) server = await start(command());
  }, 60_000);
  afterAll(() => {
    agent.destroy();
    server?.child.kill("SIGKILL");
  });

  function ask(
    line: string,
    body?: unknown,
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; text: string; reused: boolean }> {
    const [method = "", target = ""] = line.split(" ");
    const sent = body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const headers =
      sent === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) };
    return new Promise((resolve, reject) => {
      const request = http.request({ port: server.port, method, path: target, agent, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, reused: request.reusedSocket }),
        );
      });
      request.on("error", reject).end(sent);
    });
  }

  it.skipIf(!there)("answers the table", async () => {
    for (const [line, body, status, value, headers = {}] of CASES) {
      const answer = await ask(line, body);
      const expected =
        typeof value === "string"
          ? {
              status,
              value: {
                type: "about:blank",
                title: http.STATUS_CODES[status]
                  ?.replace("Payload Too Large", "Content Too Large")
                  .replace("Entity", "Content"),
                status,
                detail: value,
              },
            }
          : { status, value };
      expect(
        { status: answer.status, value: answer.text === "" ? undefined : (JSON.parse(answer.text) as unknown) },
        line,
      ).toEqual(expected);
      if (typeof value === "string") expect(answer.headers["content-type"], line).toBe("application/problem+json");
      expect(answer.headers, line).toMatchObject(headers);
    }
  });

  it.skipIf(!there)("keeps a connection, and takes requests that come together or in pieces", async () => {
    await ask("GET /health");
    expect((await ask("GET /health")).reused).toBe(true);
    const socket = net.connect(server.port, "127.0.0.1");
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    const three =
      "GET /health HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2) +
      "GET /albums/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (const char of three) {
      socket.write(char);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await once(socket, "end");
    expect(text.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3);
    expect(text).toContain("Bitches Brew");
  });

  it.skipIf(!there)("answers many at once", async () => {
    const many = Array.from({ length: 200 }, () => fetch(`http://127.0.0.1:${server.port}/albums/3`));
    const texts = await Promise.all(many.map(async (each) => (await each).json()));
    expect(texts).toEqual(texts.map(() => BITCHES_BREW));
  });

  it.skipIf(!there)("finishes what is under way on SIGTERM, and ends with 0", { timeout: 30_000 }, async () => {
    const idle = net.connect(server.port, "127.0.0.1");
    await once(idle, "connect");
    const body = JSON.stringify(NEW);
    const socket = net.connect(server.port, "127.0.0.1");
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    socket.write(
      `POST /albums HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`,
    );
    // It has begun: it asks for the body.
    await once(socket, "data");
    expect(text).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    const ended = once(server.child, "exit");
    server.child.kill("SIGTERM");
    while (!(await isEnding(server.port))) await new Promise((resolve) => setImmediate(resolve));
    expect(server.child.exitCode).toBeNull();
    socket.write(body);
    await once(socket, "end");
    expect(text).toContain("HTTP/1.1 201 Created");
    expect(await ended).toEqual([0, null]);
  });
});

/** It takes no connection any more, or says with its answer that it keeps none. */
async function isEnding(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
  await answer?.text();
  return answer === undefined || answer.headers.get("connection") === "close";
}
