/** The built-in functions that need more than the registry: what they use is given to whoever runs them. */
import { AGENT_FUNCTIONS } from "./agent-functions.ts";
import { ENVIRONMENT_FUNCTIONS } from "./environment-functions.ts";
import { SCHEDULE_FUNCTIONS } from "./schedule-functions.ts";
import { EXECUTION_FUNCTIONS, type WiredFunction } from "./execution-functions.ts";
import { SERVICE_FUNCTIONS } from "./service-functions.ts";
import { WEBHOOK_FUNCTIONS } from "./webhook-functions.ts";
import { SUBSCRIPTION_FUNCTIONS } from "./subscription-functions.ts";

export const WIRED_FUNCTIONS: readonly WiredFunction[] = [
  ...EXECUTION_FUNCTIONS,
  ...ENVIRONMENT_FUNCTIONS,
  ...WEBHOOK_FUNCTIONS,
  ...SCHEDULE_FUNCTIONS,
  ...SUBSCRIPTION_FUNCTIONS,
  ...AGENT_FUNCTIONS,
  ...SERVICE_FUNCTIONS,
];
