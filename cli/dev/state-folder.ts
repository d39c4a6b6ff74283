/**
 * The folder that holds one platform's state: the registry's file, Durable Objects, keys and credentials. Only its owner
 * can read it, and only one platform runs on it at a time.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
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
  const state = path.resolve(folder);
  mkdirSync(state, { recursive: true, mode: 0o700 });
  let sockets = path.join(state, "run");
  if (sockets.length > SOCKET_PATH_MAX) {
    const tag = Buffer.from(state).toString("base64url").slice(-24);
    sockets = path.join(os.tmpdir(), `switchyard-${process.getuid?.() ?? 0}-${tag}`);
  }
  mkdirSync(sockets, { recursive: true, mode: 0o700 });
  chmodSync(sockets, 0o700);
  const lock = await takeLock(path.join(sockets, "lock.sock"), state);
  return {
    path: state,
    sockets,
    registryFile: path.join(state, "registry.db"),
    credentialsFile: path.join(state, "credentials.json"),
    masterKey: masterKeyOf(path.join(state, "master.key")),
    release: () => new Promise((resolve) => lock.close(() => resolve())),
  };
}

/** The lock is a listening socket: it ends with the process that holds it, however that ends. */
async function takeLock(socket: string, state: string): Promise<net.Server> {
  if (existsSync(socket)) {
    if (await answers(socket)) {
      throw new SwitchyardError(
        "state_in_use",
        `Cannot start on "${state}": one platform runs on a state folder; another holds it`,
        {
          hint: "stop the other one, or pass --state with another folder (and --port with another port)",
        },
      );
    }
    rmSync(socket, { force: true });
  }
  const server = net.createServer((connection) => connection.destroy());
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  server.unref();
  return server;
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.once("connect", () => resolve(true)).once("error", () => resolve(false));
    connection.once("close", () => connection.destroy());
  });
}

function masterKeyOf(file: string): string {
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
  return readFileSync(file, "utf8").trim();
}
