/** The door alone, before a host that only answers. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { httpDoor, secretFrom } from "./http-door.node.ts";

it("lets in who knows the secret, and as many as there are slots", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const entered = Promise.withResolvers<void>();
  const run = () => {
    entered.resolve();
    return promise;
  };
  const door = httpDoor({ run, close: async () => undefined }, { secret: "s", slots: 1, runtime: "deno" });
  await once(door.listen(0, "127.0.0.1"), "listening");
  const base = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  const post = (secret: string) =>
    fetch(`${base}/run`, { method: "POST", body: "{}", headers: { "switchyard-host-secret": secret } });
  expect((await post("wrong")).status).toBe(401);
  const first = post("s");
  await entered.promise;
  const busy = await post("s");
  expect([busy.status, busy.headers.get("retry-after")]).toEqual([503, "1"]);
  resolve("reply");
  expect(await (await first).text()).toBe("reply");
  expect(await (await fetch(`${base}/health`)).json()).toMatchObject({ protocol: 1, slots: 1 });
  door.closeAllConnections();
  door.close();
});

it("does not start open by accident", () => {
  expect(() => secretFrom({})).toThrow(/SWITCHYARD_HOST_SECRET must be set/);
  expect(secretFrom({ SWITCHYARD_HOST_OPEN: "behind-iam" })).toBeUndefined();
});
