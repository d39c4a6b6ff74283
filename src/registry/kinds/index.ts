/** The rules of every kind. */
import type { Kind } from "../../model/entities.ts";
import { agentRules } from "./agent.ts";
import { environmentRules } from "./environment.ts";
import { exposureRules } from "./exposure.ts";
import { jobRules } from "./job.ts";
import { moduleRules } from "./module.ts";
import { operationRules } from "./operation.ts";
import type { KindRules } from "./rules.ts";
import { scheduleRules } from "./schedule.ts";
import { secretRules } from "./secret.ts";
import { serviceRules } from "./service.ts";
import { stateMachineRules } from "./state-machine.ts";
import { subscriptionRules } from "./subscription.ts";
import { tokenRules } from "./token.ts";
import { typeRules } from "./type.ts";
import { webhookRules } from "./webhook.ts";

export const RULES: { [K in Kind]: KindRules<K> } = {
  operation: operationRules,
  type: typeRules,
  module: moduleRules,
  environment: environmentRules,
  token: tokenRules,
  secret: secretRules,
  webhook: webhookRules,
  schedule: scheduleRules,
  subscription: subscriptionRules,
  job: jobRules,
  agent: agentRules,
  state_machine: stateMachineRules,
  service: serviceRules,
  exposure: exposureRules,
};
