/** The rules of every kind. */
import type { Kind } from "../../model/entities.ts";
import { environmentRules } from "./environment.ts";
import { moduleRules } from "./module.ts";
import { operationRules } from "./operation.ts";
import type { KindRules } from "./rules.ts";
import { secretRules } from "./secret.ts";
import { tokenRules } from "./token.ts";
import { typeRules } from "./type.ts";

export const RULES: { [K in Kind]: KindRules<K> } = {
  operation: operationRules,
  type: typeRules,
  module: moduleRules,
  environment: environmentRules,
  token: tokenRules,
  secret: secretRules,
};
