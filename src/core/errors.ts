/**
 * Every way in which Switchyard says no, in one closed table.
 *
 * An error is matched by its `code`, never by its class or message text, because it crosses process and HTTP
 * boundaries as data. `src/edge/problem.ts` is the only place that turns one into a response; `opctl explain CODE`
 * prints the table's own text.
 */

/** What the caller can do: `user` mends the request, `system` waits or looks at the implementation. */
type ErrorEntry = {
  readonly status: number;
  readonly fault: "user" | "system";
  readonly title: string;
  /** What it means and what to do next, for `opctl explain`. */
  readonly explain: string;
};

export const ERRORS = {
  // The request itself.
  malformed_json: {
    status: 400,
    fault: "user",
    title: "The body is not JSON",
    explain: "The request body must be one JSON text (RFC 8259). The detail names the place where reading stopped.",
  },
  invalid_utf8: {
    status: 400,
    fault: "user",
    title: "The body is not UTF-8",
    explain: "JSON is exchanged as UTF-8. Encode the text before sending it.",
  },
  duplicate_key: {
    status: 400,
    fault: "user",
    title: "An object has the same key twice",
    explain: "Readers disagree on which of two equal keys counts, so neither is accepted. Remove one.",
  },
  forbidden_key: {
    status: 400,
    fault: "user",
    title: 'An object has a key named "__proto__"',
    explain:
      "Such a key can change the prototype of objects in careless code, so it never reaches a handler. Rename it.",
  },
  bad_request: {
    status: 400,
    fault: "user",
    title: "The request cannot be understood",
    explain: "A header, query parameter or path segment has a value outside its rule; the detail names it.",
  },
  unauthenticated: {
    status: 401,
    fault: "user",
    title: "A token is needed",
    explain: "Send `Authorization: Bearer <token>`. `opctl token show` prints the one this machine uses.",
  },
  token_unknown: {
    status: 401,
    fault: "user",
    title: "The token is not known here",
    explain: "It was mistyped, belongs to another registry, or was deleted. Make one with `opctl token create`.",
  },
  token_expired: {
    status: 401,
    fault: "user",
    title: "The token has expired",
    explain: "Tokens end at their `expires_at`. Make a new one with `opctl token create`.",
  },
  token_revoked: {
    status: 401,
    fault: "user",
    title: "The token was revoked",
    explain: "Somebody set the token's `active` to false. Make a new one with `opctl token create`.",
  },
  webhook_unverified: {
    status: 401,
    fault: "user",
    title: "The request does not prove where it comes from",
    explain:
      "Its signature, token or time is missing, malformed, or not what the webhook's scheme and secrets ask for. The answer does not say which; the delivery's record does: `opctl get deliveries ID`, with the id from the Delivery-Id header.",
  },
  forbidden: {
    status: 403,
    fault: "user",
    title: "The token's scopes do not allow this",
    explain:
      "The detail names the scope that is needed and those the token has. An admin can grant it with `opctl edit token`.",
  },
  route_not_found: {
    status: 404,
    fault: "user",
    title: "There is no such route",
    explain: "See /openapi.json for the routes and the operations that this registry offers.",
  },
  operation_not_found: {
    status: 404,
    fault: "user",
    title: "There is no operation of that name",
    explain:
      "`opctl get operations` lists what is there. Names are exact, in lower case. `opctl deploy` registers one.",
  },
  entity_not_found: {
    status: 404,
    fault: "user",
    title: "There is no such entry in the registry",
    explain: "`opctl get <kind>` lists what is there. Names are exact, in lower case.",
  },
  method_not_allowed: {
    status: 405,
    fault: "user",
    title: "The route does not take that method",
    explain: "The `Allow` header of the answer lists the methods it takes.",
  },
  not_acceptable: {
    status: 406,
    fault: "user",
    title: "The answer does not exist in that form",
    explain:
      "Most answers are JSON: send `Accept: application/json`, or no Accept header. Events are `text/event-stream`; the detail says which.",
  },
  operation_inactive: {
    status: 409,
    fault: "user",
    title: "The operation is switched off",
    explain: "Its row says `active: false`. Switch it on with `opctl edit operation NAME -s active=true`.",
  },
  plan_failed: {
    status: 422,
    fault: "user",
    title: "A job cannot be planned with",
    explain:
      "One of its expressions failed, or it expands to jobs that are not there; the detail names the job. A target that cannot be reached is no error: the plan says how near it comes.",
  },
  trigger_inactive: {
    status: 409,
    fault: "user",
    title: "The webhook, schedule or subscription is switched off or gone",
    explain:
      "What it started may not call on for it any more. Switch it on with `opctl edit KIND NAME -s active=true`, or create it again.",
  },
  entity_exists: {
    status: 409,
    fault: "user",
    title: "The name is taken",
    explain: "Choose another name, or change the existing entry with `opctl edit` or `opctl apply`.",
  },
  entity_in_use: {
    status: 409,
    fault: "user",
    title: "Something still uses it",
    explain: "The detail names the users. Point them elsewhere or delete them first.",
  },
  type_conflict: {
    status: 409,
    fault: "user",
    title: "The type's name is taken by other content",
    explain: "A type of that name with a different schema is stored. Rename yours, or edit the stored one on purpose.",
  },
  path_taken: {
    status: 409,
    fault: "user",
    title: "The path belongs to another operation",
    explain:
      "One method and path answer one operation; names of parameters make no difference. The detail names the operation that has it.",
  },
  write_conflict: {
    status: 409,
    fault: "system",
    title: "Other writers kept getting in between",
    explain: "The registry was written by others during every try. Nothing was changed; send the request again.",
  },
  precondition_failed: {
    status: 412,
    fault: "user",
    title: "The entry has changed since it was read",
    explain: "The `If-Match` digest is not the current one. Read the entry again, redo the change, send the new ETag.",
  },
  payload_too_large: {
    status: 413,
    fault: "user",
    title: "The body is too large",
    explain: "The detail gives the limit. Larger data belongs in an artifact, passed by reference.",
  },
  unsupported_media_type: {
    status: 415,
    fault: "user",
    title: "The body must be JSON",
    explain: "Send `Content-Type: application/json`.",
  },
  idempotency_in_progress: {
    status: 409,
    fault: "user",
    title: "The call with this Idempotency-Key is still running",
    explain: "Wait for it and send the request again: it will be given the same answer. It is not run twice.",
  },
  execution_unfinished: {
    status: 409,
    fault: "user",
    title: "The execution has not ended",
    explain: "It has no output yet. `Prefer: wait=30` waits for it, GET /executions/ID/events tells each step.",
  },
  execution_final: {
    status: 409,
    fault: "user",
    title: "The execution has already ended",
    explain:
      "What has ended cannot be cancelled, and only what has ended can be replayed. Its status is in the detail.",
  },
  execution_cancelled: {
    status: 409,
    fault: "user",
    title: "The execution was cancelled",
    explain: "Somebody cancelled it, or the execution that started it. `opctl replay ID` runs it again.",
  },
  execution_expired: {
    status: 409,
    fault: "user",
    title: "The execution expired before it could start",
    explain: "Its expires_ms passed while it waited for its turn. `opctl replay ID` runs it again, without the limit.",
  },
  queue_full: {
    status: 429,
    fault: "user",
    title: "Too many executions wait already",
    explain:
      "The operation's max_queued, or the platform's own limit, is reached. Nothing was accepted. Send it again later: the Retry-After header says when.",
  },
  rate_limited: {
    status: 429,
    fault: "user",
    title: "Too many calls in too little time",
    explain:
      "The rate_limit of the operation's or the token's row is reached. Nothing has run. Send it again later: the Retry-After header and after_ms say when.",
  },
  too_many_streams: {
    status: 503,
    fault: "system",
    title: "Too many clients listen already",
    explain:
      "Each agent that wants to hear of new tools keeps a connection open, and this instance holds as many as it takes. Connect again later, or list the tools when you need them.",
  },
  // Content that does not fit.
  idempotency_key_reused: {
    status: 422,
    fault: "user",
    title: "The Idempotency-Key belongs to another input",
    explain:
      "Within 24 hours a key stands for one operation and one input. Use a new key for a new request; the first one is not changed.",
  },
  payload_lost: {
    status: 500,
    fault: "system",
    title: "A stored input, output or artifact cannot be read back",
    explain:
      "Its record is there but the artifact store has no such object, or one of another content. Restore the store.",
  },
  input_invalid: {
    status: 422,
    fault: "user",
    title: "The input does not fit the operation's input type",
    explain:
      "Each place is named by a JSON Pointer into the input. `opctl describe operation NAME` shows the input type.",
  },
  input_too_deep: {
    status: 422,
    fault: "user",
    title: "The JSON is nested too deeply",
    explain: "Nesting is capped before any check runs; the detail gives the limit.",
  },
  input_too_complex: {
    status: 422,
    fault: "user",
    title: "The JSON has too many values",
    explain: "The number of values is capped before any check runs; the detail gives the limit.",
  },
  definition_invalid: {
    status: 422,
    fault: "user",
    title: "The definition breaks a rule",
    explain:
      "Each place is named by a JSON Pointer into the definition. Nothing was stored. Mend it and send it again.",
  },
  schema_unsupported: {
    status: 422,
    fault: "user",
    title: "The schema cannot be honoured",
    explain:
      "A schema is stored only if every keyword of it can be enforced; `errors` names the pointer and the reason.",
  },
  setting_unsupported: {
    status: 422,
    fault: "user",
    title: "The setting would have no effect",
    explain:
      "This version of the platform does not act on the setting, so it refuses to store it. Leave it at its default.",
  },
  expression_invalid: {
    status: 422,
    fault: "user",
    title: "The expression cannot be used",
    explain:
      "It is not JSONata, or uses a part of it that the platform refuses; the detail names the position and the rule. docs/expressions.md lists what is refused and why.",
  },
  expression_failed: {
    status: 422,
    fault: "user",
    title: "The expression failed on this input",
    explain:
      "JSONata stopped with an error of its own, or the result is nothing that JSON can say. The detail has JSONata's code and position. Mend the expression, or the input.",
  },
  expression_limit: {
    status: 422,
    fault: "user",
    title: "The expression went past a limit",
    explain:
      "Expressions run inside the platform, so their steps, depth, memory and time are bounded; the detail names the limit and its number. Work of that size belongs in an operation.",
  },
  module_hash_mismatch: {
    status: 422,
    fault: "user",
    title: "The module's content does not have that hash",
    explain: "The SHA-256 in the path must be that of the bytes in the body. The upload was damaged or mislabelled.",
  },
  module_not_found: {
    status: 422,
    fault: "user",
    title: "The implementation names code that is not stored",
    explain:
      "`implemented_at` is `module:export`; the detail says which of the two is missing. `opctl deploy` stores both.",
  },
  not_supported: {
    status: 501,
    fault: "user",
    title: "This version cannot do that",
    explain: "The request asks for something that would silently not happen, so it is refused. The detail says what.",
  },
  // Running.
  call_depth_exceeded: {
    status: 508,
    fault: "user",
    title: "Operations call each other too deeply",
    explain:
      "A chain of ctx.call went past the limit in the detail; most likely an operation calls itself without an end.",
  },
  call_limit_exceeded: {
    status: 429,
    fault: "user",
    title: "One invocation made too many calls",
    explain:
      "ctx.call is limited per invocation; the detail gives the limit. Batch the work, or make it several operations.",
  },
  implementation_failed: {
    status: 502,
    fault: "system",
    title: "The operation's code failed",
    explain:
      "The handler threw, or the service that provides the operation answered with an error; the detail is what it said. A handler's stack is in the platform's log, and for an asynchronous execution in `opctl logs ID`; a service's last lines are in `opctl get service NAME -o json`.",
  },
  module_invalid: {
    status: 502,
    fault: "system",
    title: "The operation's code could not be started",
    explain: "The module threw while loading, or lacks the export. Mend it and `opctl deploy` again.",
  },
  output_invalid: {
    status: 502,
    fault: "system",
    title: "The output does not fit the operation's output type",
    explain: "Each place is named by a JSON Pointer into the output. Mend the handler, or edit the row's output_type.",
  },
  output_not_json: {
    status: 502,
    fault: "system",
    title: "The handler's answer is not a JSON value",
    explain: "A handler returns what JSON can say: null, booleans, finite numbers, strings, arrays and plain objects.",
  },
  output_too_large: {
    status: 502,
    fault: "system",
    title: "The output is too large",
    explain: "The detail gives the limit. Larger data belongs in an artifact, passed by reference.",
  },
  batch_incomplete: {
    status: 502,
    fault: "user",
    title: "Some items of the batch failed",
    explain:
      "The output lists each item's own outcome. `opctl replay ID` runs only those again that have not succeeded.",
  },
  state_unavailable: {
    status: 503,
    fault: "system",
    title: "The executions cannot be written or read",
    explain:
      "The object that keeps them does not answer, or its disk is full. A call that was not acknowledged was not accepted; send it again, with the same Idempotency-Key to be safe.",
  },
  artifact_store_unavailable: {
    status: 503,
    fault: "system",
    title: "The artifact store does not answer",
    explain: "Inputs and outputs over 1 MiB and artifacts live there. Nothing was accepted or lost; send it again.",
  },
  destination_forbidden: {
    status: 422,
    fault: "user",
    title: "Nothing is sent there",
    explain:
      "Events go to https URLs at public addresses. A receiver in the team's own network needs `network: private` in the subscription's row, which an admin writes; link-local addresses are never reached.",
  },
  destination_unreachable: {
    status: 502,
    fault: "system",
    title: "The receiver cannot be reached",
    explain:
      "No connection could be made, or it broke: no such name, nobody listening, failed TLS, or a name that leads to an address which the network forbids. It is tried again as the subscription's `retry` says; `opctl replay` tries it once more after that.",
  },
  delivery_refused: {
    status: 502,
    fault: "system",
    title: "The receiver did not take the event",
    explain:
      "It must answer with a status of 2xx. What it answered is in the delivery's log: `opctl logs EXECUTION`. Redirects are not followed; 410 switches the subscription off.",
  },
  secret_unavailable: {
    status: 503,
    fault: "system",
    title: "A secret that the operation needs cannot be used",
    explain:
      "It was deleted, excludes the operation's group, or was sealed with another master key. See `opctl get secrets`.",
  },
  service_inactive: {
    status: 503,
    fault: "user",
    title: "The service is switched off",
    explain:
      "Its row says `active: false`; nothing of it runs. `opctl edit service NAME -s active=true` switches it on.",
  },
  service_unavailable: {
    status: 503,
    fault: "system",
    title: "The service cannot run now",
    explain:
      "No replica is ready and none can be started: its environment is gone, runs no services, or has nobody to take them; nothing has run. The detail says what to mend; `opctl get service NAME` has all of it. It is tried again after a while that grows to five minutes; `opctl service deploy NAME` tries at once.",
  },
  service_crash_looping: {
    status: 503,
    fault: "system",
    title: "The service ends as soon as it is started",
    explain:
      "Its replicas failed several times in a row before they were healthy, or soon after; nothing has run. The detail has the reason and its last lines. It is tried again after a while that grows to five minutes; a changed row or `opctl service deploy NAME` tries at once.",
  },
  command_refused: {
    status: 409,
    fault: "user",
    title: "The service's state machine does not allow that",
    explain:
      "What is asked for would be undone by the state machine at once, or nothing in it leads there. The hint says what to do instead; `opctl diagram state-machine NAME` draws it.",
  },
  no_environment: {
    status: 503,
    fault: "system",
    title: "No environment can run the operation now",
    explain:
      "The detail says what is missing, or switched off: an environment, or the exposure or the service that provides the operation. `opctl get environments`, `opctl get exposures` and `opctl get services` list what is there.",
  },
  environment_unavailable: {
    status: 503,
    fault: "system",
    title: "The environment does not answer",
    explain:
      "The place where the operation runs cannot be reached, or has nobody to take the work; nothing has run. `opctl environment check NAME` looks closer; of a service that was not ready within the operation's time-out `opctl get service NAME` says why. An asynchronous execution waits and is tried again.",
  },
  environment_refused: {
    status: 502,
    fault: "system",
    title: "The environment refuses the platform",
    explain:
      "The credentials in the environment's secrets are wrong, have expired, or lack a permission; the detail has the environment's own words. Nothing has run. `opctl environment check NAME` names what is missing.",
  },
  environment_throttled: {
    status: 503,
    fault: "system",
    title: "The environment has no room now",
    explain:
      "The place limits how much runs at once, or the service how many requests may wait for it (`max_waiting`), and the limit is reached; nothing has run. It is asked again later, less often each time. Raise the limit there, or name a second environment in the operation's row.",
  },
  environment_forbids: {
    status: 502,
    fault: "system",
    title: "The environment does not run such work",
    explain:
      "A runner runs only what its own allow-list says (`opctl runner start --allow …`), and the work is not on it. Nothing has run.",
  },
  environment_misconfigured: {
    status: 502,
    fault: "system",
    title: "The environment lacks something",
    explain:
      "What the row names does not exist there: a function, a cluster, an image, a program, a host that was never installed. The detail names it. `opctl environment install NAME` puts the host there; `opctl environment check NAME` looks closer.",
  },
  host_outdated: {
    status: 502,
    fault: "system",
    title: "The host or runner is of another version than the platform",
    explain:
      "The two speak different protocols, and guessing would be worse. Upgrade the older one: `npm i -g switchyard@latest` on the runner's machine, `opctl environment install NAME` for a host in a cloud.",
  },
  executor_lost: {
    status: 503,
    fault: "system",
    title: "The executor was lost while the operation ran",
    explain:
      "The process that ran the code ended: out of memory, killed for another call's endless loop, or with the whole platform. Or the service's replica broke off in the middle of an answer. Whether it had effects is unknown. An asynchronous execution is tried again by itself.",
  },
  timeout: {
    status: 504,
    fault: "system",
    title: "The operation took too long",
    explain: "It ran past its time-out and was stopped. Raise `timeout_ms`, or make the work smaller.",
  },
  registry_unavailable: {
    status: 503,
    fault: "system",
    title: "The registry does not answer",
    explain:
      "Operations in the cache go on running; everything else waits until the database is back. `opctl doctor` looks closer.",
  },
  registry_behind: {
    status: 503,
    fault: "system",
    title: "The registry revision asked for is not visible yet",
    explain: "`Min-Registry-Revision` asked for a newer state than this replica can see. Try again shortly.",
  },
  registry_read_only: {
    status: 503,
    fault: "system",
    title: "The registry cannot be written",
    explain:
      "The database refuses writes: a read-only file, a full disk, or a read-only replica. Reading and calling go on.",
  },
  registry_corrupt: {
    status: 503,
    fault: "system",
    title: "The registry's database is damaged",
    explain:
      "SQLite reports that the file is not a sound database. Stop, keep the file, restore a backup; nothing is overwritten.",
  },
  internal: {
    status: 500,
    fault: "system",
    title: "Switchyard made a mistake",
    explain: "This is a defect of the platform. The log of the platform has the cause under the same execution id.",
  },
  // Only opctl.
  usage: {
    status: 400,
    fault: "user",
    title: "The command was not understood",
    explain: "`opctl help COMMAND` shows the arguments and examples.",
  },
  platform_unreachable: {
    status: 503,
    fault: "system",
    title: "No platform answers there",
    explain: "Start one with `npm start` or `opctl dev`, or point SWITCHYARD_URL at a running one.",
  },
  unexpected_answer: {
    status: 502,
    fault: "system",
    title: "What answers there does not speak Switchyard",
    explain: "The address leads to another program, a proxy, or a platform of another version. See `opctl doctor`.",
  },
  credentials_missing: {
    status: 401,
    fault: "user",
    title: "No credentials were found",
    explain: "`opctl dev` writes them to its state folder. Elsewhere set SWITCHYARD_URL and SWITCHYARD_TOKEN.",
  },
  port_in_use: {
    status: 409,
    fault: "user",
    title: "The port is taken",
    explain: "Another process listens there. Choose another with --port, or stop that process.",
  },
  state_in_use: {
    status: 409,
    fault: "user",
    title: "The state folder is in use",
    explain: "Another platform runs on it. Choose another with --state, or stop that one.",
  },
  node_unsupported: {
    status: 400,
    fault: "user",
    title: "This Node.js is too old",
    explain:
      "opctl needs the Node.js version named in package.json `engines`. In the repository, `npm ci` installs one.",
  },
  bundle_failed: {
    status: 422,
    fault: "user",
    title: "The source cannot be bundled",
    explain: "A module is one ESM file that uses Web APIs only. The detail names the file and the import chain.",
  },
  types_unreadable: {
    status: 422,
    fault: "user",
    title: "The handler's types cannot be read",
    explain:
      "The annotation uses a type that JSON Schema cannot say. Write it as a plain interface, or export a Standard Schema.",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** One place in a value or definition that breaks a rule. `pointer` is a JSON Pointer (RFC 6901), "" is the root. */
export type Issue = { pointer: string; keyword: string; detail: string };

/** `afterMs`: the same may succeed then, and not before. */
type ErrorExtras = { hint?: string; errors?: readonly Issue[]; cause?: unknown; afterMs?: number };

/** An error as data: what crosses a process boundary, and the body of a problem answer without its HTTP clothes. */
export type ErrorData = {
  code: ErrorCode;
  detail: string;
  hint?: string;
  errors?: readonly Issue[];
  /** Milliseconds until the same may succeed. */
  after_ms?: number;
};

/**
 * `detail` follows the grammar `Cannot <do what> "<value>": <rule>; it is <current value>`.
 * `hint` is the next thing to do, as a command where there is one.
 */
export class SwitchyardError extends Error {
  override readonly name = "SwitchyardError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly errors: readonly Issue[] | undefined;
  readonly afterMs: number | undefined;

  constructor(code: ErrorCode, detail: string, extras: ErrorExtras = {}) {
    super(detail, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.hint = extras.hint;
    this.errors = extras.errors;
    this.afterMs = extras.afterMs;
  }
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}

/** Anything thrown → a SwitchyardError. Foreign errors become `internal`, with the original kept as cause. */
export function toSwitchyardError(thrown: unknown): SwitchyardError {
  if (thrown instanceof SwitchyardError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SwitchyardError("internal", `Cannot finish the request: an unexpected error; it is ${message}`, {
    cause: thrown,
  });
}

export function toErrorData(error: SwitchyardError): ErrorData {
  return {
    code: error.code,
    detail: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    ...(error.afterMs === undefined ? {} : { after_ms: error.afterMs }),
  };
}

/** The error that toErrorData() was given. */
export function fromErrorData({ code, detail, hint, errors, after_ms: afterMs }: ErrorData): SwitchyardError {
  return new SwitchyardError(code, detail, {
    ...(hint === undefined ? {} : { hint }),
    ...(errors === undefined ? {} : { errors }),
    ...(afterMs === undefined ? {} : { afterMs }),
  });
}
