import { expect, test } from "vitest";
import { dockerFailure } from "./docker.node.ts";

const HELP = "See 'docker run --help'.";
const GONE = "docker: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?.";
const ABSENT = "Unable to find image 'none:1' locally";

test.each([
  ["its own code", 3, ["docker: told so by a program"], undefined],
  ["a code that Docker has too, and words of its own", 127, ["sh: missing: not found"], undefined],
  ["an image that is not there", 125, [ABSENT, "docker: no such host.", HELP], ["refused", `${ABSENT}; no such host`]],
  [
    "a program that is not there",
    127,
    ['docker: exec: "x": not found: unknown.'],
    ["refused", 'exec: "x": not found: unknown'],
  ],
  ["no engine", 125, [GONE, HELP], ["unreachable", GONE.slice("docker: ".length, -1)]],
  [
    "a start that failed while the client waited already",
    127,
    ['docker: exec: "x": not found.', 'time="x" level=error msg="error waiting for container: context canceled"'],
    ["refused", 'exec: "x": not found'],
  ],
  [
    "a word of later versions",
    125,
    [GONE, "Run 'docker run --help' for more information"],
    ["unreachable", GONE.slice(8, -1)],
  ],
  // The container may run by then.
  [
    "an engine that broke off the start",
    125,
    ["up", 'docker: error during connect: Post "http://x": EOF.', HELP],
    ["lost", 'Post "http://x": EOF'],
  ],
  [
    "an engine that broke off",
    125,
    ['time="x" level=error msg="error waiting for container: unexpected EOF"'],
    ["lost", "unexpected EOF"],
  ],
] as const)("dockerFailure() of %s", (_what, code, lines, expected) => {
  const found = dockerFailure(code, lines);
  expect(found === undefined ? undefined : [found.kind, found.said]).toEqual(expected);
});
