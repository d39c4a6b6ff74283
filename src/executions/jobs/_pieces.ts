/** Long texts in a table whose values are at most 2 MB: cut into bytes, since a text cut anywhere may not be one. */

const PIECE_BYTES = 1_500_000;

export class TextPieces {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS pieces (job TEXT, part TEXT, place INTEGER, bytes BLOB, PRIMARY KEY (job, part, place)) WITHOUT ROWID",
    );
  }

  put(job: string, part: "input" | "report", text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let place = 0; place * PIECE_BYTES < bytes.length || place === 0; place++) {
      const piece = bytes.slice(place * PIECE_BYTES, (place + 1) * PIECE_BYTES);
      this.#sql.exec("INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?)", job, part, place, piece.buffer);
    }
  }

  get(job: string, part: "input" | "report"): string | undefined {
    const rows = this.#sql
      .exec<{ bytes: ArrayBuffer }>("SELECT bytes FROM pieces WHERE job = ? AND part = ? ORDER BY place", job, part)
      .toArray();
    if (rows.length === 0) return undefined;
    const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
    return rows.map(({ bytes }) => decoder.decode(bytes, { stream: true })).join("") + decoder.decode();
  }

  remove(job: string): void {
    this.#sql.exec("DELETE FROM pieces WHERE job = ?", job);
  }
}
