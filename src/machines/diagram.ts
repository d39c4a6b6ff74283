/** A state machine as a picture: https://mermaid.js.org/syntax/stateDiagram.html */
import type { Requirement, StateMachine } from "../model/state-machines.ts";

/** `current`: marked. */
export function toMermaid({ initial, states, transitions }: StateMachine, current?: string): string {
  const lines = ["stateDiagram-v2", `  [*] --> ${idOf(initial)}`];
  for (const [name, { replicas }] of Object.entries(states)) {
    lines.push(`  state "${name}${replicas === null ? "" : ` (${replicas})`}" as ${idOf(name)}`);
  }
  for (const { name, from, to, when, scale_by: by } of transitions) {
    const effect = by === null ? "" : `, ${by > 0 ? "+" : ""}${by}`;
    lines.push(`  ${idOf(from)} --> ${idOf(to)}: ${escape(`${name}${effect} [${say(when)}]`)}`);
  }
  if (current !== undefined && Object.hasOwn(states, current)) {
    lines.push("  classDef current font-weight:bold,stroke-width:3px", `  class ${idOf(current)} current`);
  }
  return lines.join("\n");
}

export function say(requirement: Requirement): string {
  if ("all" in requirement) return requirement.all.length === 0 ? "always" : requirement.all.map(sayPart).join(" and ");
  if ("any" in requirement) return requirement.any.map(sayPart).join(" or ");
  if ("not" in requirement) return `not ${sayPart(requirement.not)}`;
  if ("operation" in requirement) return `${requirement.operation}()`;
  if ("expression" in requirement) return requirement.expression;
  if ("between" in requirement) return `${requirement.between.join("–")} ${requirement.time_zone}`;
  return `${requirement.fact} ${requirement.op} ${String(requirement.value)}`;
}

function sayPart(requirement: Requirement): string {
  return "all" in requirement || "any" in requirement ? `(${say(requirement)})` : say(requirement);
}

/** Names may hold what mermaid reads as something else. */
function idOf(name: string): string {
  return `s_${name.replaceAll(/[^a-z0-9_]/g, (char) => `_${char.charCodeAt(0).toString(16)}_`)}`;
}

function escape(text: string): string {
  return text.replaceAll(/[;:#\r\n]/g, (char) => `#${char.charCodeAt(0)};`);
}
