/** The text format of Prometheus, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */
import { BUCKETS, INSTRUMENTS, type Delta, type Instrument } from "./instruments.ts";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Something that is asked for when it is looked at, not gathered. */
export type Gauge = {
  name: string;
  help: string;
  samples: readonly { labels: Readonly<Record<string, string>>; value: number }[];
};

/** Every instrument of the table, also one that has nothing yet, and then the gauges. */
export function exposition(series: readonly Delta[], gauges: readonly Gauge[]): string {
  const lines: string[] = [];
  const byInstrument = Map.groupBy(series, ([instrument]) => instrument);
  for (const [key, { name, help, type, labels }] of Object.entries(INSTRUMENTS)) {
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    const found = byInstrument.get(key as Instrument) ?? [];
    // A counter without labels is there from the start, so that its first growth is seen as one.
    if (found.length === 0 && labels.length === 0) lines.push(`${name} 0`);
    for (const [, values, cells] of found) {
      const pairs = labels.map((label, place) => pair(label, values[place] ?? ""));
      if (type === "counter") lines.push(`${name}${braced(pairs)} ${number(cells[0] ?? 0)}`);
      else pushHistogram(lines, name, pairs, cells);
    }
  }
  for (const { name, help, samples } of gauges) {
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} gauge`);
    for (const { labels, value } of samples) {
      const pairs = Object.entries(labels).map(([label, text]) => pair(label, text));
      lines.push(`${name}${braced(pairs)} ${number(value)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function pushHistogram(lines: string[], name: string, pairs: readonly string[], cells: readonly number[]): void {
  let count = 0;
  for (const [place, bound] of [...BUCKETS, Number.POSITIVE_INFINITY].entries()) {
    count += cells[place] ?? 0;
    lines.push(`${name}_bucket${braced([...pairs, pair("le", number(bound))])} ${count}`);
  }
  lines.push(
    `${name}_sum${braced(pairs)} ${number(cells[BUCKETS.length + 1] ?? 0)}`,
    `${name}_count${braced(pairs)} ${count}`,
  );
}

function braced(pairs: readonly string[]): string {
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function pair(label: string, value: string): string {
  return `${label}="${value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')}"`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  // Sums of many milliseconds are not to end in …0001.
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(12)));
}
