/** What goes wrong where nobody waits for an answer, as a line of the log. */
export function complain(what: string, error: unknown): void {
  console.error(JSON.stringify({ level: "warn", message: `services: ${what}: ${String(error)}` }));
}
