import { describe, expect, test } from "vitest";
import { SwitchyardError } from "../src/core/errors.ts";
import { createOutput, type Streams } from "./output.ts";

function streams(terminal: boolean, said = { out: "", err: "" }): Streams {
  return {
    out: (text) => void (said.out += text),
    bytes: async (part) => void (said.out += typeof part === "string" ? part : new TextDecoder().decode(part)),
    err: (text) => void (said.err += text),
    colour: terminal,
    watched: terminal,
    columns: terminal ? 20 : undefined,
    terminal,
  };
}

function printed(terminal: boolean) {
  const said = { out: "", err: "" };
  return { said, output: createOutput({ json: false, quiet: false }, streams(terminal, said)) };
}

const EVIL = "\u001B]0;owned\u0007 a\rb \u009B31m\ttab\nline";

describe("output", () => {
  test("lets no control character of others reach a terminal, on either stream", () => {
    const { said, output } = printed(true);
    output.data(EVIL);
    expect(said.out).toBe(String.raw`\u001b]0;owned\u0007 a\u000db \u009b31m` + "\ttab\nline\n");
    output.say(EVIL);
    output.progress(EVIL);
    output.warn(EVIL);
    const errors = [{ pointer: `/${EVIL}`, keyword: "k", detail: "other" }];
    output.problem(new SwitchyardError("implementation_failed", EVIL, { hint: EVIL, errors }));
    // Its own colours are the only escapes.
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    expect(said.err.replaceAll(/\u001B\[[0-9]+m/g, "")).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/);
  });

  test("shows bytes that are text without harm, also where a part ends within a character", async () => {
    const { said, output } = printed(true);
    for (const byte of new TextEncoder().encode("ä\u001B[31m")) await output.bytes(new Uint8Array([byte]));
    expect(said.out).toBe(String.raw`ä\u001b[31m`);
  });

  test.each([
    [true, {}, true],
    [true, { quiet: true }, false],
    [true, { json: true }, false],
    [false, {}, false],
  ])("is watched on a terminal (%s) with %j: %s", (terminal, options, watched) => {
    expect(createOutput({ json: false, quiet: false, ...options }, streams(terminal)).watched).toBe(watched);
  });

  test("draws one line over and over below all others, within the width of the terminal", () => {
    const { said, output } = printed(true);
    output.live("1 of 3 \u001B[31m steps");
    output.say("a line");
    output.live("2 of 3, and more than fits");
    output.data("data");
    output.live(undefined);
    output.say("end");
    const erase = "\r\u001B[2K";
    expect(said.err.split(erase)).toEqual([
      String.raw`1 of 3 \u001b[31m …`,
      String.raw`a line` + "\n" + String.raw`1 of 3 \u001b[31m …`,
      "2 of 3, and more t…",
      "2 of 3, and more t…",
      "end\n",
    ]);
    expect(said.out).toBe("data\n");
  });

  test("draws no line where nobody watches", () => {
    const { said, output } = printed(false);
    output.live("1 of 3");
    output.say("a line");
    expect([output.redraws, said.err]).toEqual([false, "a line\n"]);
  });

  test("gives data to a pipe as it is", () => {
    const { said, output } = printed(false);
    output.data(EVIL);
    expect(said.out).toBe(`${EVIL}\n`);
  });
});
