/** A new token's secret, which the platform says once and never again. */
import type { Context } from "./command.ts";
import type { Entry } from "./registry.ts";

export function sayNewToken(context: Context, entry: Entry): void {
  context.output.say("This is the only time the token is shown. Keep it where secrets are kept.");
  if (context.globals.json) context.output.value(entry);
  else context.output.data(String(entry["token"]));
}
