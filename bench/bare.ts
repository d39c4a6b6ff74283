/**
 * What an inline call is measured against: the least a Hono worker does that takes JSON, checks it with valibot and
 * answers as many bytes. No registry, no authentication, no isolate, no record.
 */
import { Hono } from "hono";
import * as v from "valibot";

const Input = v.strictObject({ input_str: v.string() });

const app = new Hono();

app.post("/bare", async (context) => {
  const input = v.parse(Input, await context.req.json());
  return context.json({ output_str: input.input_str });
});

export default app;
