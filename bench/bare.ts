/**
 * What an inline call is measured against: the least a Hono worker does that takes JSON, checks it with valibot and
 * answers. As many bytes come in and go out, headers included, but they mean nothing here: no registry, no
 * authentication, no isolate, no record.
 */
import { Hono } from "hono";
import * as v from "valibot";

const Input = v.strictObject({ input_str: v.string() });

/** As long as what the platform answers. */
const HEADERS = {
  "execution-id": "ex_00_0000000000000000000000000",
  "operation-revision": "1",
  "server-timing": "resolve;dur=0, run;dur=0, total;dur=0",
  traceparent: "00-00000000000000000000000000000000-0000000000000000-01",
};

const app = new Hono();

app.post("/bare", async (context) => {
  const input = v.parse(Input, await context.req.json());
  return context.json({ output_str: input.input_str }, 200, HEADERS);
});

export default app;
