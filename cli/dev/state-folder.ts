/**
 * The folder that holds one platform's state: the registry's file, Durable Objects, keys and credentials. Only its owner
 * can read it, and only one platform runs on it at a time.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SwitchyardError } from "../../src/core/errors.ts";

/** sun_path of a unix socket, with the longest name that is put into the folder. */
const SOCKET_PATH_MAX = 107 - "/supervisor.sock".length;

export type StateFolder = {
  path: string;
  /** Unix sockets; elsewhere when the state folder's own path is too long for them. */
  sockets: string;
  registryFile: string;
  credentialsFile: string;
  /** 32 bytes in base64, made once. */
  masterKey: string;
  release(): Promise<void>;
};

/** Throws `state_in_use` when another platform holds the folder. */
export async function openStateFolder(folder: string): Promise<StateFolder> {
  // The registry's file and the objects are made by processes that we start: nothing of it is for others to read.
  process.umask(0o077);
  const state = path.resolve(folder);
  mkdirSync(state, { recursive: true, mode: 0o700 });
  let sockets = path.join(state, "run");
  if (sockets.length > SOCKET_PATH_MAX) {
    const tag = createHash("sha256").update(state).digest("hex").slice(0, 24);
    sockets = path.join(os.tmpdir(), `switchyard-${process.getuid?.() ?? 0}-${tag}`);
  }
  mkdirSync(sockets, { recursive: true, mode: 0o700 });
  const own = lstatSync(sockets);
  if (!own.isDirectory() || own.uid !== (process.getuid?.() ?? own.uid)) {
    throw new SwitchyardError(
      "usage",
      `Cannot put sockets into "${sockets}": it must be a folder of your own; it is not`,
      {
        hint: "remove it, or pass --state with a shorter path",
      },
    );
  }
  chmodSync(sockets, 0o700);
  const lock = await takeLock(sockets, state);
  return {
    path: state,
    sockets,
    registryFile: path.join(state, "registry.db"),
    credentialsFile: path.join(state, "credentials.json"),
    masterKey: masterKeyOf(path.join(state, "master.key")),
    release: () => new Promise((resolve) => lock.close(() => resolve())),
  };
}

const WANTED = "wanted";
/** How long many that start at once may take to agree. Milliseconds. */
const AGREE_MS = 5_000;

/**
 * The lock is a listening socket: it ends with the process that holds it, however that ends. Everyone listens under a
 * name of its own and then looks who else does, so two can see each other and both step back, but never both go on; and
 * a socket that nobody listens on can be removed without a look whether somebody has just taken its name.
 */
async function takeLock(folder: string, state: string): Promise<net.Server> {
  for (const giveUpAt = Date.now() + AGREE_MS; ; await sleep(Math.random() * 100)) {
    const name = `lock.${randomBytes(4).toString("hex")}`;
    let said = WANTED;
    const server = net.createServer((connection) => connection.on("error", () => undefined).end(said));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(path.join(folder, name), resolve);
    });
    const others = readdirSync(folder).filter((other) => other.startsWith("lock.") && other !== name);
    const words = await Promise.all(others.map((other) => ask(path.join(folder, other))));
    if (words.every((word) => word === undefined)) {
      said = "held";
      server.unref();
      return server;
    }
    await new Promise((resolve) => server.close(resolve));
    if (words.every((word) => word === undefined || word === WANTED) && Date.now() < giveUpAt) continue;
    throw new SwitchyardError(
      "state_in_use",
      `Cannot start on "${state}": one platform runs on a state folder; another holds it`,
      {
        hint: "stop the other one, or pass --state with another folder (and --port with another port)",
      },
    );
  }
}

/** What the process behind a lock says; undefined when there is none, and then nothing is left of it. */
async function ask(socket: string): Promise<string | undefined> {
  // Asked twice, because a socket is there for a moment before its process listens.
  const word = (await askOnce(socket)) ?? (await sleep(50), await askOnce(socket));
  if (word === undefined) rmSync(socket, { force: true });
  return word;
}

function askOnce(socket: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let word: string | undefined;
    const connection = net.connect(socket, () => (word ??= ""));
    connection.on("data", (chunk) => (word += chunk.toString()));
    connection.on("error", () => undefined);
    connection.once("close", () => resolve(word));
  });
}

function masterKeyOf(file: string): string {
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
  return readFileSync(file, "utf8").trim();
}
