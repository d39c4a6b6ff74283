/**
 * Source of the isolate's main module in workerd. It hands the code a context and nothing else: `cloudflare:workers`
 * gives no `env`, the entrypoint class is frozen, and the way back to the platform is an argument of one invocation that
 * dies with it. What runs the call is run.ts.
 */
export const MAIN_MODULE = String.raw`
import { WorkerEntrypoint } from "cloudflare:workers";
import { prepare, runCall } from "./switchyard-run.js";

const { freeze } = Object;
let settings;

export default class Isolate extends WorkerEntrypoint {
  run(timeoutMs, metaText, input, platform) {
    if (settings === undefined) {
      const { SECRETS, EXPORT } = this.env;
      settings = prepare(EXPORT, SECRETS, () => import("./handler.js"));
    }
    return runCall(settings, timeoutMs, metaText, input, platform);
  }
}
// Code that imports this module must not be able to listen in on other invocations.
freeze(Isolate);
freeze(Isolate.prototype);
`;
