/**
 * The tables and statements of one service's object.
 *
 * `service` is one row: what it goes by, where it stands and why. `replicas` are those that it has asked for and that are not
 * known to be gone; `step` of one is what is still to come to its end: whoever comes after this object asks for it again.
 * `events` are sentences for people, and forgotten after five hundred.
 */
import type { Head, Replica, StoredEvent } from "./_kept.ts";

const TABLES = `
  CREATE TABLE IF NOT EXISTS service (one INTEGER PRIMARY KEY CHECK (one = 1), head TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS replicas (seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, data TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, what TEXT NOT NULL);
`;

const EVENTS = 500;

export class ServiceStore {
  readonly #sql: SqlStorage;
  /** As they are on disk: a write that fails ends the object, and memory with it. */
  #head: Head | undefined;
  #replicas: Map<string, Replica>;
  #lastEvent: number;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(TABLES);
    const [row] = sql.exec<{ head: string }>("SELECT head FROM service").toArray();
    this.#head = row === undefined ? undefined : (JSON.parse(row.head) as Head);
    const rows = sql.exec<{ name: string; data: string }>("SELECT name, data FROM replicas ORDER BY seq").toArray();
    this.#replicas = new Map(rows.map(({ name, data }) => [name, JSON.parse(data) as Replica]));
    this.#lastEvent = sql.exec<{ seq: number | null }>("SELECT max(seq) AS seq FROM events").one().seq ?? 0;
  }

  /** undefined: it has never heard of its row. */
  head(): Head | undefined {
    return this.#head;
  }

  setHead(head: Head): Head {
    this.#sql.exec(
      "INSERT INTO service VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET head = excluded.head",
      JSON.stringify(head),
    );
    this.#head = head;
    return head;
  }

  /** In the order in which they were wanted. */
  replicas(): Replica[] {
    return [...this.#replicas.values()];
  }

  replica(name: string): Replica | undefined {
    return this.#replicas.get(name);
  }

  setReplica(replica: Replica): void {
    this.#sql.exec(
      "INSERT INTO replicas (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data",
      replica.replica,
      JSON.stringify(replica),
    );
    this.#replicas.set(replica.replica, replica);
  }

  /** What need not outlive this object: how busy it is. */
  noteReplica(replica: Replica): void {
    this.#replicas.set(replica.replica, replica);
  }

  forgetReplica(name: string): void {
    this.#sql.exec("DELETE FROM replicas WHERE name = ?", name);
    this.#replicas.delete(name);
  }

  /** All but the events: who watches still hears the last of them. */
  forget(): void {
    this.#sql.exec("DELETE FROM service");
    this.#sql.exec("DELETE FROM replicas");
    this.#head = undefined;
    this.#replicas = new Map();
  }

  tell(at: number, what: string): void {
    const { seq } = this.#sql
      .exec<{ seq: number }>("INSERT INTO events (at, what) VALUES (?, ?) RETURNING seq", at, what)
      .one();
    this.#sql.exec("DELETE FROM events WHERE seq <= ?", seq - EVENTS);
    this.#lastEvent = seq;
  }

  /** Those after the one, in order. */
  events(after: number, limit: number): StoredEvent[] {
    return this.#sql
      .exec<StoredEvent>("SELECT seq, at, what FROM events WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
      .toArray();
  }

  lastEvent(): number {
    return this.#lastEvent;
  }
}
