/** A state machine as a picture: https://mermaid.js.org/syntax/stateDiagram.html, and as text for terminals. */
import type { Requirement, StateMachine, Transition } from "../model/state-machines.ts";

/** `current`: marked. */
export function toMermaid({ initial, states, transitions }: StateMachine, current?: string): string {
  const lines = ["stateDiagram-v2", `  [*] --> ${idOf(initial)}`];
  for (const [name, { replicas, revision }] of Object.entries(states)) {
    const what = [...(replicas === null ? [] : [String(replicas)]), ...(revision === "newest" ? [] : [revision])];
    lines.push(`  state "${name}${what.length === 0 ? "" : ` (${what.join(", ")})`}" as ${idOf(name)}`);
  }
  for (const { name, from, to, when, scale_by: by } of transitions) {
    const effect = by === null ? "" : `, ${signed(by)}`;
    lines.push(`  ${idOf(from)} --> ${idOf(to)}: ${escape(`${name}${effect} [${say(when)}]`)}`);
  }
  if (current !== undefined && Object.hasOwn(states, current)) {
    lines.push("  classDef current font-weight:bold,stroke-width:3px", `  class ${idOf(current)} current`);
  }
  return lines.join("\n");
}

/** Not wider than 100 columns, but for single words that are. A box for each state, below it the ways out of it. */
export function toText({ initial, states, transitions }: StateMachine, current?: string): string {
  const labels = Object.entries(states).map(([name, state]) => ({ name, label: labelOf(name, state) }));
  const width = Math.max(0, ...labels.map(({ label }) => label.length));
  const blocks = labels.map(({ name, label }) => {
    const marks = [...(name === current ? ["it is here"] : []), ...(name === initial ? ["it begins here"] : [])];
    const ways = transitions.filter(({ from }) => from === name);
    return boxOf(label.padEnd(width), { marks, isCurrent: name === current })
      .concat(waysOf(ways))
      .join("\n");
  });
  return blocks.join("\n\n");
}

function labelOf(name: string, { replicas, revision }: StateMachine["states"][string]): string {
  const count = replicas === null ? "replicas as scaled" : `${replicas} replica${replicas === 1 ? "" : "s"}`;
  const held = { newest: "", kept: ", revision kept", both: ", new revision beside it" }[revision];
  return `${name}  ${count}${held}`;
}

function boxOf(label: string, { marks, isCurrent }: { marks: readonly string[]; isCurrent: boolean }): string[] {
  const [corners, across, down] = isCurrent ? ["╔╗╚╝", "═", "║"] : ["┌┐└┘", "─", "│"];
  const line = across.repeat(label.length + 2);
  const mark = marks.length === 0 ? "" : `  ${marks.join(", ")}`;
  return [`${corners[0]}${line}${corners[1]}`, `${down} ${label} ${down}${mark}`, `${corners[2]}${line}${corners[3]}`];
}

const WIDTH = 100;

function waysOf(transitions: readonly Transition[]): string[] {
  return transitions.flatMap(({ name, to, when, scale_by: by, cooldown_s: seconds }, at) => {
    const isLast = at === transitions.length - 1;
    const effect = by === null ? "" : ` ${signed(by)}`;
    const cooldown = seconds === 0 ? "" : `, then not for ${seconds} s`;
    const guard = partsOf(when).flatMap((part) => wrap(part, WIDTH - 8));
    return [
      `  ${isLast ? "└" : "├"}─▶ ${to}${effect}  (${name}${cooldown})`,
      ...guard.map((line) => `  ${isLast ? " " : "│"}     ${line}`),
    ];
  });
}

/** A line each, where one line is too short. */
function partsOf(when: Requirement): string[] {
  const whole = say(when);
  if (whole.length <= WIDTH - 8) return [whole];
  const [parts, word] = "all" in when ? [when.all, "and"] : "any" in when ? [when.any, "or"] : [[], ""];
  return parts.length === 0 ? [whole] : parts.map((part, at) => `${at === 0 ? "" : `${word} `}${sayPart(part)}`);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/[\s\p{Cc}]+/u)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}

function signed(by: number): string {
  return by > 0 ? `+${by}` : String(by);
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
