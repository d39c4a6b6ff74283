import { expect, it } from "vitest";
import { callOf, TRACE, TRACESTATE } from "../../test/contracts/adapter/call-of.ts";
import { platformOverHttp } from "./platform-over-http.ts";

it("platformOverHttp() calls in the trace of the handler that calls", async () => {
  const sent: Record<string, string>[] = [];
  const platform = platformOverHttp({
    async fetch(_url, { headers = {} }) {
      sent.push(headers);
      return Response.json(1);
    },
  });
  const { meta } = callOf({ kind: "process", command: ["x"] });
  const { tracestate: _, ...bare } = meta;
  for (const each of [meta, bare]) await platform.call({ name: "echo", input: "{}", options: {} }, each);
  expect(sent[0]).toMatchObject({ traceparent: TRACE, tracestate: TRACESTATE });
  expect(sent[1]).toMatchObject({ traceparent: TRACE });
  expect(sent[1]).not.toHaveProperty("tracestate");
});
