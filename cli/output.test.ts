import { describe, expect, test } from "vitest";
import { SwitchyardError } from "../src/core/errors.ts";
import { createOutput } from "./output.ts";

function printed(terminal: boolean) {
  const said = { out: "", err: "" };
  const output = createOutput(
    { json: false, quiet: false },
    {
      out: (text) => void (said.out += text),
      err: (text) => void (said.err += text),
      colour: terminal,
      watched: terminal,
      terminal,
    },
  );
  return { said, output };
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

  test("gives data to a pipe as it is", () => {
    const { said, output } = printed(false);
    output.data(EVIL);
    expect(said.out).toBe(`${EVIL}\n`);
  });
});
