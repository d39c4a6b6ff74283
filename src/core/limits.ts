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
  /** One attempt of an asynchronous execution, when its row names no time-out. */
  attemptTimeoutMs: 15 * 60_000,
  /** Tries that were lost with their executor, and with the platform itself, before an execution is given up. */
  lostAttempts: 10,
  interruptedAttempts: 100,
  /** Inputs and outputs up to this stay in the row, larger ones go to the artifact store. Bytes of JSON text. */
  payloadInRowBytes: 1024 * 1024,
  /** Where an order is too large for what carries it, parts longer than this travel as artifacts. Characters. */
  offloadChars: 256 * 1024,
  /** One artifact that a handler puts. */
  artifactBytes: 5 * 1024 * 1024 * 1024,
  /** How long an Idempotency-Key is remembered, and its length. */
  idempotencyMs: 24 * 60 * 60_000,
  idempotencyKeyChars: 255,
  /** How long the record of an execution is kept after its end, when its row says nothing, and the most it may say. */
  retentionMs: 7 * 24 * 60 * 60_000,
  retentionMaxMs: 366 * 24 * 60 * 60_000,
  /** How far ahead a call may be delayed. */
  delayMaxMs: 366 * 24 * 60 * 60_000,
  /** How long a request may wait for an execution (Prefer: wait). */
  waitMaxMs: 5 * 60_000,
  /** How long a call of an agent waits for an execution when it does not ask for progress: clients give up after a minute. */
  agentWaitMs: 50_000,
  /** Executions that may wait in one shard before new ones are refused. */
  queuedPerShard: 100_000,
  /** Items of one call of a batch operation, and how many of them run at once. */
  batchItems: 10_000,
  batchParallel: 8,
  /** All examples of one operation. Bytes of JSON text, and how many there may be. */
  examplesBytes: 64 * 1024,
  examples: 16,
  /** Steps of one chain. */
  chainSteps: 64,
  /** Due times of one schedule that may wait for their start, or be made up for after the platform was down. */
  scheduleBacklog: 1_000,
  /** Firings of one schedule that are remembered. */
  scheduleHistory: 100,
  /** The text of one expression, and how deep its syntax may nest. */
  expressionChars: 16_384,
  expressionNesting: 500,
  /** One evaluation: steps of the evaluator, evaluations under way at once, scopes within scopes, its own time. */
  expressionSteps: 100_000,
  expressionPending: 10_000,
  expressionScopes: 200,
  /** How often a function may be handed on as an argument. */
  expressionHandedOn: 100,
  expressionMs: 3_000,
  /** What one evaluation may build in all, one value of it (about the length of its JSON text), one string of it. */
  expressionMemoryBytes: 48 * 1024 * 1024,
  expressionValueBytes: 8 * 1024 * 1024,
  expressionStringChars: 1024 * 1024,
  /** Items of one sequence, and items that pass through its order-by clauses in all. */
  expressionItems: 10_000,
  expressionSorted: 4_000,
  /** Instructions of all of its regular expressions, compiled. */
  expressionRegexProgram: 4_000,
  /** An execution's output or input up to this is part of the event of its end. Bytes of JSON text. */
  eventPayloadBytes: 256 * 1024,
  /** What one agent knows, and what one target asks for. Bytes of JSON text: both go into a row of at most two million. */
  agentStateBytes: 1_000_000,
  agentTargetBytes: 500_000,
  /** What one step is given, beside the target in its row. */
  agentStepBytes: 1_400_000,
  /** What is told of a plan, and how many goals of one that does not get there. */
  agentPlanChars: 500_000,
  agentUnmet: 100,
  /** How long one plan may take to be made. */
  planMs: 60_000,
  /** Deliveries of one subscription that are under way at once, in each of the shards. */
  deliveriesAtOnce: 8,
  /** Log lines kept of one invocation, and characters of one line. */
  logLines: 200,
  logLineChars: 4_096,
  /** Of a delivery's body its record keeps so much; of one that was not verified, which cannot be replayed, less. */
  deliveryBodyBytes: 256 * 1024,
  unverifiedBodyBytes: 4 * 1024,
  /** Requests to one webhook that are not verified and yet recorded, in one minute of one isolate; the rest is counted. */
  unverifiedPerMinute: 60,
  /** All that is kept of one webhook's deliveries, the oldest going first; and of its unverified ones, on their own. */
  deliveriesBytes: 256 * 1024 * 1024,
  unverifiedBytes: 8 * 1024 * 1024,
  /** How long a delivery is kept. */
  deliveryRetentionMs: 3 * 24 * 60 * 60_000,
  /** How long a webhook that answers with the output waits for an asynchronous operation. */
  webhookWaitMs: 30_000,
} as const;
