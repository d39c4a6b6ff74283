import { describe, expect, it } from "vitest";
import { ARTIFACT_ID, codeOf, fakePlatform } from "../_fake-platform.node.ts";

describe("GET /artifacts/:id", () => {
  const path = `/artifacts/${ARTIFACT_ID}`;

  it.each(["*/*", "text/csv", "image/png"])(
    "answers the bytes to Accept: %s, so that no browser runs them",
    async (accept) => {
      const response = await fakePlatform().request("GET", path, { headers: { accept } });
      expect([response.status, await response.text()]).toEqual([200, "a,b,c"]);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": "text/csv",
        "content-length": "5",
        etag: `"${"a".repeat(64)}"`,
        "content-disposition": "attachment; filename*=UTF-8''sums%20of%202026.csv",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
      });
    },
  );

  it.each([
    [`"${"a".repeat(64)}"`, 304],
    [`"x", W/"${"a".repeat(64)}"`, 304],
    ["*", 304],
    [`"${"b".repeat(64)}"`, 200],
  ])("to If-None-Match: %s answers %i", async (tag, status) => {
    const response = await fakePlatform().request("GET", path, { headers: { "if-none-match": tag } });
    expect(response.status).toBe(status);
    if (status === 304) expect(await response.text()).toBe("");
  });

  it("knows no other id", async () => {
    const response = await fakePlatform().request("GET", "/artifacts/ar_03", { as: "reader" });
    expect([response.status, await codeOf(response)]).toEqual([404, "entity_not_found"]);
  });
});
