/**
 * Triggers and what the outside world meets, in numbers: `npm run bench -- triggers`, or a part of it by name.
 *
 *     webhooks        a signed webhook beside the same call without one
 *     schedules       10,000 schedules due in the same minute
 *     subscriptions   ends of executions told to an operation
 *     openapi         the whole document of 10,000 operations, cold and cached
 *     mcp             tools/list of 1,000 operations
 *     rate-limits     a call with and without a limit
 *     telemetry       off, metrics, metrics and traces
 */
import { mcpBench } from "./mcp.ts";
import { openapiBench } from "./openapi.ts";
import { rateLimitBench } from "./rate-limits.ts";
import { schedulesBench } from "./schedules.ts";
import { subscriptionBench } from "./subscriptions.ts";
import { telemetryBench } from "./telemetry.ts";
import { webhooks } from "./webhooks.ts";

export const TRIGGER_PARTS: Readonly<Record<string, () => Promise<void>>> = {
  webhooks,
  schedules: () => schedulesBench(),
  subscriptions: subscriptionBench,
  openapi: openapiBench,
  mcp: mcpBench,
  "rate-limits": rateLimitBench,
  telemetry: telemetryBench,
};

export async function triggers(): Promise<void> {
  for (const part of Object.values(TRIGGER_PARTS)) await part();
}
