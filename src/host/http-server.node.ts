/**
 * The host listening by itself: Cloud Run, Container Apps, Kubernetes, Azure's custom handlers, a machine behind a proxy.
 * On SIGTERM it takes nothing new, finishes what runs, and ends.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SwitchyardError } from "../core/errors.ts";
import { hostSettings } from "./_settings.node.ts";
import { createHost } from "./core.node.ts";
import { httpDoor, secretFrom } from "./http-door.node.ts";

const PORT = 8080;
/** While it drains: how often connections that have no call any more are closed. */
const LOOK_MS = 50;

export type HttpHost = { url: string; runtime: string; slots: number; drain(): Promise<void>; close(): Promise<void> };

/** Throws usage for what the environment must not say, and port_in_use. */
export async function listenHttp(env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<HttpHost> {
  const secret = secretFrom(env);
  const { hostname, port } = addressFrom(env);
  const settings = hostSettings(env, { runtime: "deno" });
  const { runtime, slots } = settings;
  const host = createHost({ ...settings, log });
  const door = httpDoor(host, { secret, slots, runtime });
  try {
    await once(door.listen(port, hostname), "listening");
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code !== "EADDRINUSE") throw thrown;
    throw new SwitchyardError("port_in_use", `Cannot listen on port ${port}: it must be free; it is not`, {
      cause: message,
    });
  }
  const { address, port: bound } = door.address() as AddressInfo;
  return {
    url: `http://${address.includes(":") ? `[${address}]` : address}:${bound}`,
    runtime,
    slots,
    async drain() {
      const closed = once(door, "close");
      door.close();
      const timer = setInterval(() => door.closeIdleConnections(), LOOK_MS);
      await closed;
      clearInterval(timer);
      await host.close();
    },
    async close() {
      door.closeAllConnections();
      door.close();
      await host.close();
    },
  };
}

/** Everybody is listened to only where a cloud has given the port, as it also decides who gets through to it. */
function addressFrom(env: NodeJS.ProcessEnv): { hostname: string; port: number } {
  const { HOST: hostname, PORT: given, FUNCTIONS_CUSTOMHANDLER_PORT: azure } = env;
  // Azure's own process stands before a custom handler, on the same machine.
  const text = azure ?? given ?? String(PORT);
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port > 65_535) {
    throw new SwitchyardError("usage", `Cannot listen on port "${text}": PORT must be a whole number up to 65535`);
  }
  return { hostname: hostname ?? (azure === undefined && given !== undefined ? "0.0.0.0" : "127.0.0.1"), port };
}

/** The whole process, until it has drained. Throws what listenHttp() throws. */
export async function httpMain(env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<void> {
  const host = await listenHttp(env, log);
  log(`host: listens at ${host.url}; ${host.slots} calls at once; modules run on ${host.runtime}`);
  if (host.runtime === "node") log("host: modules on Node are NOT confined: they can do what this process can do");
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    if (signals === 1) stop();
    else void host.close();
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  await stopped;
  log("host: draining; what runs is finished");
  await host.drain();
  process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
  log("host: drained");
}
