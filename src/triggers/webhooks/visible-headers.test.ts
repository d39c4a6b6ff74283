import { expect, test } from "vitest";
import { webhookOf } from "./_test-world.node.ts";
import { visibleHeaders } from "./visible-headers.ts";

test("visibleHeaders() keeps what tells of the event, and nothing that proves or admits", () => {
  const told = { "content-type": "application/json", "x-github-event": "push", "x-author": "ada", "ce-id": "1" };
  const names =
    "authorization cookie x-api-key x-gitlab-token x-auth x-auth-key x-shopify-hmac-sha256 x-hub-signature-256 proxy-authorization x-amz-credential";
  const credentials = names.split(" ");
  const headers = new Headers({ ...told, ...Object.fromEntries(credentials.map((name) => [name, "s"])) });
  headers.set("__proto__", "own");
  expect(JSON.parse(JSON.stringify(visibleHeaders(headers, webhookOf({ scheme: "github" }))))).toEqual(
    JSON.parse(JSON.stringify({ ...told, ["__proto__"]: "own" })),
  );
});
