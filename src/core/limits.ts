/** The platform's limits, in one table. A request over one is refused with the number in the answer. */
export const LIMITS = {
  /** Request or output, as JSON text. Bytes. */
  jsonBytes: 8 * 1024 * 1024,
  /** One module's source. Bytes. */
  moduleBytes: 10 * 1024 * 1024,
  /** Nesting and number of values, counted before any check runs. */
  jsonDepth: 64,
  jsonNodes: 100_000,
  /** How deep ctx.call may nest, and how many calls one invocation may make. */
  callDepth: 16,
  callsPerInvocation: 32,
  /** A synchronous call, when its row names no time-out, and the most it may name. */
  syncTimeoutMs: 30_000,
  syncTimeoutMaxMs: 15 * 60_000,
  /** Log lines kept of one invocation, and characters of one line. */
  logLines: 200,
  logLineChars: 4_096,
} as const;
