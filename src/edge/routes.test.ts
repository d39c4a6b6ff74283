import { expect, it } from "vitest";
import { RESERVED_SEGMENTS } from "../model/rest-path.ts";
import { ROUTES } from "./routes.ts";

it("no operation's path can begin as a route of the platform does", () => {
  const taken = new Set(ROUTES.map(({ path }) => path.split("/")[1]));
  expect([...taken].filter((segment) => segment === undefined || !RESERVED_SEGMENTS.includes(segment))).toEqual([]);
});
