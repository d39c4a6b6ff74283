/** The code that every isolate is made of, as the Worker Loader takes it. */
import type { IsolateDefinition } from "../../model/invocation.ts";
import { CONTEXT_MODULE } from "./context.ts";
import { JSON_MODULE } from "./json.ts";
import { LOG_MODULE } from "./log.ts";
import { MAIN_MODULE } from "./main.ts";
import { PLATFORM_MODULE } from "./platform.ts";
import { RUN_MODULE } from "./run.ts";

export function workerCode(definition: IsolateDefinition, outbound: Fetcher | null): WorkerLoaderWorkerCode {
  return {
    compatibilityDate: "2026-07-01",
    // Console lines are told apart by async context; `env` is for the main module alone.
    compatibilityFlags: ["nodejs_als", "disallow_importable_env"],
    mainModule: "switchyard-main.js",
    modules: {
      "switchyard-main.js": MAIN_MODULE,
      "switchyard-run.js": RUN_MODULE,
      "switchyard-context.js": CONTEXT_MODULE,
      "switchyard-platform.js": PLATFORM_MODULE,
      "switchyard-json.js": JSON_MODULE,
      "switchyard-log.js": LOG_MODULE,
      "handler.js": definition.code,
    },
    env: { EXPORT: definition.export, SECRETS: definition.secrets },
    globalOutbound: outbound,
  };
}
