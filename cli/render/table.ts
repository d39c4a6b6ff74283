/** Rows as columns of text, the way `opctl get` shows them. */

export type Row = readonly unknown[];

/** Cells of one line each; long ones are cut so that a row stays a row. `null` and missing show as `-`. */
export function renderTable(header: readonly string[], rows: readonly Row[], maxCell = 60): string {
  const cells = [
    header.map((name) => name.toUpperCase()),
    ...rows.map((row) => row.map((value) => cell(value, maxCell))),
  ];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function cell(value: unknown, maxCell: number): string {
  if (value === null || value === undefined) return "-";
  const list = Array.isArray(value) && value.every((member) => typeof member === "string");
  const text = typeof value === "string" ? value : list ? value.join(",") : JSON.stringify(value);
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > maxCell ? `${line.slice(0, maxCell - 1)}…` : line === "" ? "-" : line;
}
