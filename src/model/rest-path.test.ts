import { describe, expect, it } from "vitest";
import { parametersOf, parseRestPath, restPathOf, shapeOf } from "./rest-path.ts";

describe("parseRestPath()", () => {
  it.each([
    ["GET /people", "GET /people", []],
    ["PATCH /people/{person_id}", "PATCH /people/{}", ["person_id"]],
    ["DELETE /v1.2/~a/{a}/b-c/{b}", "DELETE /v1.2/~a/{}/b-c/{}", ["a", "b"]],
    ["PUT /operations/{x}", "PUT /operations/{}", ["x"]],
  ])("reads %s", (text, shape, parameters) => {
    const path = restPathOf(text);
    expect([shapeOf(path), parametersOf(path)]).toEqual([shape, parameters]);
  });

  it.each([
    ["/people", /must be one of GET/],
    ["get /people", /must be one of GET/],
    ["HEAD /people", /must be one of GET/],
    ["GET  /people", /must be one of GET/],
    ["GET people", /must be one of GET/],
    ["GET /people ", /must be one of GET/],
    ["GET /", /segments of/],
    ["GET /people/", /one is ""/],
    ["GET //people", /one is ""/],
    ["GET /people/..", /one is "\.\."/],
    ["GET /a/./b", /one is "\."/],
    ["GET /a%2Fb", /one is "a%2Fb"/],
    ["GET /people?x=1", /segments of/],
    ["GET /é", /segments of/],
    ["GET /people/{a}{b}", /segments of/],
    ["GET /people/{}", /segments of/],
    ["GET /people/:id", /segments of/],
    ["GET /people/{a}/{a}", /{a} is there twice/],
    ["GET /people/{__proto__}", /__proto__/],
    ["GET /{anything}", /no parameter/],
    ["GET /ops/mine", /platform's/],
    ["GET /Health", /platform's/],
    ["GET /openapi.json", /platform's/],
    [`GET /${"a/".repeat(16)}a`, /16 segments/],
    [`GET /${"a".repeat(600)}`, /512 characters/],
  ])("refuses %s", (text, rule) => {
    expect(parseRestPath(text)).toEqual({ rule: expect.stringMatching(rule) as string });
  });
});
