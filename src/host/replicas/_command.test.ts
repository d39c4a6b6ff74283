import { describe, expect, test, vi } from "vitest";
import { anOrder } from "./_server.test-help.node.ts";
import { commandOf } from "./_command.node.ts";

vi.mock("../work/container.node.ts", () => ({
  containerEngine: async () => "docker",
  runcCommands: async () => "there is none",
}));

describe("a container's variables", () => {
  const variables = { MODE: "test", PATH: "/evil", HOME: "/evil", DOCKER_HOST: "tcp://evil", LD_PRELOAD: "/evil.so" };
  const { spec } = anOrder("a", [], { run: { container: { image: "nginx", command: null } }, variables });
  const place = { service: "shop", replica: "a", spec, host: "127.0.0.1", port: 4_000, folder: "/own" };

  test("are the container's alone, and not those of the client that starts it", async () => {
    const { env, args } = await commandOf(place);
    expect(env).toMatchObject({ PATH: process.env["PATH"], HOME: "/own", MODE: "test", SWITCHYARD_SERVICE: "shop" });
    expect(Object.keys(env)).not.toEqual(expect.arrayContaining(["DOCKER_HOST"]));
    expect(Object.keys(env)).not.toEqual(expect.arrayContaining(["LD_PRELOAD"]));
    const words = args.join(" ");
    for (const [name, value] of Object.entries(variables)) {
      expect(words).toContain(name === "MODE" ? "--env MODE" : `--env ${name}=${value}`);
    }
  });
});
