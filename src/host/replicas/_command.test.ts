import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { anOrder } from "./_server.test-help.node.ts";
import { commandOf } from "./_command.node.ts";

vi.mock("../work/container.node.ts", () => ({
  containerEngine: async () => "docker",
  runcCommands: async () => "there is none",
}));

const folder = mkdtempSync(path.join(tmpdir(), "switchyard-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function commandWith(variables: Record<string, string>) {
  const { spec } = anOrder("a", [], { run: { container: { image: "nginx", command: null } }, variables });
  return commandOf({ service: "shop", replica: "a", spec, host: "127.0.0.1", port: 4_000, folder });
}

describe("a container's variables", () => {
  const FOR_CLIENTS = {
    PATH: "/evil",
    HOME: "/evil",
    DOCKER_HOST: "tcp://evil",
    LD_PRELOAD: "/evil.so",
    HTTP_PROXY: "http://evil",
    DOCKER_PASSWORD: "sesame-open",
  };

  test("are the container's alone, and not those of the client that starts it", async () => {
    const { env, args } = await commandWith({ MODE: "test", ...FOR_CLIENTS });
    expect(env).toMatchObject({ PATH: process.env["PATH"], MODE: "test", SWITCHYARD_SERVICE: "shop" });
    for (const [name, value] of Object.entries(FOR_CLIENTS)) expect(env[name]).not.toBe(value);
    const words = args.join(" ");
    expect(words).toContain("--env MODE ");
    const file = path.join(folder, "variables");
    expect(words).toContain(`--env-file ${file} `);
    const lines = Object.entries(FOR_CLIENTS).map(([name, value]) => `${name}=${value}`);
    expect(readFileSync(file, "utf8").trimEnd().split("\n").toSorted()).toEqual(lines.toSorted());
    expect(statSync(file).mode & 0o077).toBe(0);
  });

  test("are on no command line", async () => {
    const { args } = await commandWith({ MODE: "test", ...FOR_CLIENTS });
    expect(args.join(" ")).not.toMatch(/evil|sesame|=test/);
  });

  test("cannot be handed on where Docker's file for them would not take them", async () => {
    await expect(commandWith({ DOCKER_KEY: "one\ntwo" })).rejects.toMatchObject({
      code: "environment_misconfigured",
      message: expect.stringContaining("must be one line; DOCKER_KEY has several") as string,
    });
  });

  test("leave the client with the runner's own engine and logins", async () => {
    vi.stubEnv("DOCKER_HOST", "unix:///own.sock").stubEnv("HOME", "/home/runner");
    const { env } = await commandWith({ MODE: "test" });
    vi.unstubAllEnvs();
    expect(env).toMatchObject({ DOCKER_HOST: "unix:///own.sock", HOME: "/home/runner" });
  });
});
