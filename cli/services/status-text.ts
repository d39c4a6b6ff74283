/** What a service is at, laid out for people: first what it does, then how it is reached, then what would change that. */
import { renderTable } from "../render/table.ts";
import { isWhole, type ServiceEvent, type ServiceSeen, type ServiceStatusView } from "./api.ts";

/** How many events the view shows; JSON has them all. */
const LAST_EVENTS = 8;
const WIDE = 80;
/** How it begins, the reason, and how often that was. */
const FAILED =
  /^(a start failed: |[^:]+: it has ended: )(.+?)((?:; that was [0-9]+ times in a row)?(?:; it tries again in [0-9]+ ms)?)$/s;

export function statusText(status: ServiceStatusView): string {
  return [
    heading(status),
    replicas(status),
    reached(status),
    moves(status),
    section("Planned", status.plan),
    section(
      "Under way",
      status.steps.map(({ step, replica, since }) => `${step} ${replica} since ${since}`),
    ),
    crashes(status),
    section("Happened", happened(status)),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

export function eventLine({ at, what }: ServiceEvent): string {
  return `${at}  ${what}`;
}

/** As much as there is of it. */
export function seenText(seen: ServiceSeen): string {
  if (isWhole(seen)) return statusText(seen);
  return layOut(seen.name, [
    ["state", stateOf(seen)],
    ["revision", seen.revision],
    ["replicas", `${readyOf(seen)} ready`],
  ]);
}

/** `2 of 3`: ready, of those that are wanted. */
export function readyOf({ ready, wanted }: ServiceSeen): string {
  return `${ready} of ${wanted}`;
}

/** Whether all that is wanted of it serves: what failed before is then of the past, though it is remembered for a minute. */
export function isUp({ ready, wanted, facts }: ServiceStatusView): boolean {
  return wanted > 0 && ready >= wanted && facts["new_revision"] !== true;
}

function heading(status: ServiceStatusView): string {
  const { name, because, state_machine: machine, revision, waiting, facts, problem } = status;
  const lines: [string, string][] = [
    ["state", stateOf(status)],
    ...because.map((sentence): [string, string] => ["because", sentence]),
    ["state machine", machine],
    ["revision", revision],
    ["replicas", `${readyOf(status)} ready`],
    ["waiting", String(waiting)],
    [
      "facts",
      Object.entries(facts)
        .map(([fact, value]) => `${fact} ${value === null ? "not known" : String(value)}`)
        .join(", "),
    ],
    ...(problem === null ? [] : ([["problem", problem]] as [string, string][])),
  ];
  return layOut(name, lines);
}

function stateOf({ active, state, since }: ServiceSeen): string {
  return `${state}${since === null ? "" : `, since ${since}`}${active ? "" : "; switched off"}`;
}

function layOut(name: string, lines: readonly [string, string][]): string {
  const width = Math.max(...lines.map(([word]) => word.length));
  return [
    name,
    ...lines.filter(([, text]) => text !== "").map(([word, text]) => `  ${word.padEnd(width)}  ${text}`),
  ].join("\n");
}

function replicas({ replicas: all }: ServiceStatusView): string {
  if (all.length === 0) return "";
  const rows = all.map((each) => [
    each.replica,
    each.ended === null ? each.phase : `${each.phase}: ${each.ended}`,
    each.count === 1 ? null : `${each.ready} of ${each.count}`,
    each.revision,
    each.place === "" ? null : each.place,
    each.address,
    each.since,
    each.requests,
    each.cpu === null ? null : `${Math.round(each.cpu * 100)}%`,
  ]);
  const words = ["replica", "phase", "ready", "revision", "place", "address", "since", "requests", "cpu"];
  // What no row has is no column.
  const shown = words.map((_, place) => rows.some((row) => row[place] !== null));
  const only = <T>(row: readonly T[]): T[] => row.filter((_, place) => shown[place]);
  return `Replicas\n${indent(renderTable(only(words), rows.map(only), WIDE))}`;
}

function reached({ exposures }: ServiceStatusView): string {
  const lines = exposures.flatMap(({ name, protocol, base_path: base, via, ways }) => [
    `${name}  ${protocol}${base === "" ? "" : ` ${base}`}, ${via}`,
    ...ways.map((way) => `  ${way}`),
  ]);
  return section("Reached by", lines);
}

const HOLDS = new Map([
  [true, "holds"],
  [false, "does not hold"],
  [null, "not known"],
]);

function moves({ next }: ServiceStatusView): string {
  const lines = next.flatMap(({ transition, to, holds, because, not_before: notBefore }) => [
    `${transition} → ${to}: ${HOLDS.get(holds) ?? ""}${notBefore === null ? "" : `, not before ${notBefore}`}`,
    ...because.map((sentence) => `  ${sentence}`),
  ]);
  return section("What would move it", lines);
}

function crashes(status: ServiceStatusView): string {
  const { failures, looping, reason, lines, next_at: nextAt } = status.crashes;
  if (failures === 0) return "";
  const often = failures === 1 ? "1 start has failed" : `${failures} starts in a row have failed`;
  const then = nextAt === null ? "" : `; the next at ${nextAt}`;
  const title = !looping ? "Crashes" : isUp(status) ? "Before it came up" : "It does not come up";
  return section(title, [`${often}${then}`, ...(reason === null ? [] : [reason]), ...lines.map((line) => `| ${line}`)]);
}

function happened({ name, events }: ServiceStatusView): string[] {
  const all = events.toSorted((a, b) => a.seq - b.seq);
  const lines = withoutRepeats(all.slice(-LAST_EVENTS)).map(eventLine);
  if (all.length <= LAST_EVENTS) return lines;
  return [...lines, `${all.length - LAST_EVENTS} more before: opctl watch service ${name} --all, or -o yaml`];
}

/** A start that fails as the one before fails for the same reason, which is long. */
function withoutRepeats(events: readonly ServiceEvent[]): ServiceEvent[] {
  const shown: ServiceEvent[] = [];
  let before: string | undefined;
  for (const event of events) {
    const [, begins = "", reason, ends = ""] = FAILED.exec(event.what) ?? [];
    const isSame = reason !== undefined && reason === before;
    shown.push(isSame ? { ...event, what: `${begins}the same${ends}` } : event);
    before = reason ?? before;
  }
  return shown;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}\n${indent(lines.join("\n"))}`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}
