/**
 * Types as Standard Schemas in place of annotations. `input` and `output` are read when the file is deployed; the same
 * schemas can check data inside the handler, because they are bundled with it. zod and arktype work the same way.
 */
import * as v from "valibot";

export const input = v.object({
  net_cents: v.pipe(v.number(), v.integer(), v.minValue(0)),
  country: v.picklist(["AT", "CH", "DE"]),
  quantity: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1),
});

export const output = v.object({
  gross_cents: v.pipe(v.number(), v.integer()),
  vat_percent: v.number(),
});

const VAT_PERCENT = { AT: 20, CH: 8.1, DE: 19 } as const;

/** What a number of things costs with the country's value added tax. */
export function price({ net_cents, country, quantity }: v.InferOutput<typeof input>): v.InferOutput<typeof output> {
  const vat_percent = VAT_PERCENT[country];
  return { gross_cents: Math.round(net_cents * quantity * (1 + vat_percent / 100)), vat_percent };
}
