/**
 * The part of a generated client that is the same in each: it imports nothing, sends what it is given and nothing else,
 * and makes of every problem an OperationError. A test compiles it as strictly as TypeScript can.
 */

/** What the file declares beside the types of operations. */
export const RUNTIME_NAMES = [
  "Accepted",
  "Answer",
  "AsyncOperation",
  "Array",
  "CallOptions",
  "Client",
  "ClientOptions",
  "ErrorCode",
  "Input",
  "Issue",
  "OperationError",
  "OperationName",
  "Operations",
  "Output",
  "Problem",
];

export const RUNTIME_TEXT = `export type OperationName = keyof Operations;
export type Input<Name extends OperationName> = Operations[Name]["input"];
export type Output<Name extends OperationName> = Operations[Name]["output"];

/** An execution that is kept and runs later: \`client.wait()\` answers its output. */
export type Accepted<Result = unknown> = { readonly execution_id: string; readonly __output?: Result };

/** What a call answers: the output, or of an asynchronous operation what to wait for. */
export type Answer<Name extends OperationName> = Name extends AsyncOperation ? Accepted<Output<Name>> : Output<Name>;

/** A place where a value does not fit its type. */
export type Issue = { pointer: string; keyword: string; detail: string };

/** RFC 9457. \`code\` is what to match; newer platforms may know more codes. */
export type Problem = {
  code: ErrorCode | (string & {});
  status: number;
  title: string;
  detail: string;
  hint?: string;
  errors?: Issue[];
};

export class OperationError extends Error {
  override readonly name: string = "OperationError";
  readonly code: Problem["code"];
  /** Of HTTP; 0 where there was no answer that could be read. */
  readonly status: number;
  readonly hint: string | undefined;
  readonly errors: readonly Issue[];
  /** The call's record, where there is one. */
  readonly executionId: string | undefined;

  constructor(problem: Problem, executionId?: string, cause?: unknown) {
    super(problem.detail, cause === undefined ? undefined : { cause });
    this.code = problem.code;
    this.status = problem.status;
    this.hint = problem.hint;
    this.errors = problem.errors ?? [];
    this.executionId = executionId;
  }
}

export type ClientOptions = {
  /** The platform's address. */
  url: string;
  token: string;
  /** In place of the global one. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
};

export type CallOptions = {
  /** Stops waiting for the answer; its own reason is thrown. */
  signal?: AbortSignal | undefined;
  /** The same key and input within 24 hours are one call. */
  idempotencyKey?: string | undefined;
};

export type Client = {
  /** Throws OperationError. */
  call<Name extends OperationName>(name: Name, input: Input<Name>, options?: CallOptions): Promise<Answer<Name>>;
  /** Any operation, to run later: answers once it is kept. */
  start<Name extends OperationName>(
    name: Name,
    input: Input<Name>,
    options?: CallOptions,
  ): Promise<Accepted<Output<Name>>>;
  /** The output of an execution, once it has ended. Throws the OperationError that it ended with. */
  wait<Result = unknown>(
    execution: Accepted<Result> | string,
    options?: Pick<CallOptions, "signal">,
  ): Promise<Result>;
};

export function createClient(options: ClientOptions): Client {
  const base = options.url.replace(/\\/+$/, "");
  const send = options.fetch ?? ((url: string, init: RequestInit) => fetch(url, init));

  async function request(
    method: string,
    path: string,
    { signal, headers, body }: { signal?: AbortSignal | undefined; headers: Record<string, string>; body?: string },
  ): Promise<{ status: number; value: unknown }> {
    let response: Response;
    let text: string;
    try {
      response = await send(base + path, {
        method,
        headers: { authorization: "Bearer " + options.token, ...headers },
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      });
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      const detail = "Cannot reach the platform at " + base + ": it must answer; it does not";
      throw new OperationError({ code: "platform_unreachable", status: 0, title: "", detail }, undefined, cause);
    }
    const executionId = response.headers.get("execution-id") ?? undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      const detail = "Cannot read the answer: it must be JSON; it begins " + JSON.stringify(text.slice(0, 80));
      const problem = { code: "unexpected_answer", status: response.status, title: "", detail };
      throw new OperationError(problem, executionId, cause);
    }
    if (response.ok) return { status: response.status, value };
    throw new OperationError(value as Problem, executionId);
  }

  async function post(name: string, input: unknown, options: CallOptions, headers: Record<string, string>) {
    const { signal, idempotencyKey } = options;
    return request("POST", "/ops/" + name, {
      signal,
      // Nothing is said as null: a call always has an input.
      body: JSON.stringify(input === undefined ? null : input),
      headers: {
        "content-type": "application/json",
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
        ...headers,
      },
    });
  }

  return {
    async call(name, input, options = {}) {
      const { status, value } = await post(name, input, options, {});
      if ((status === 202) === asyncOperations.has(name)) return value as never;
      const now = status === 202 ? "asynchronous" : "synchronous";
      const detail = "Cannot read the answer of " + name + ": this client must be as new as the operation; it is " + now + " now";
      throw new OperationError({ code: "unexpected_answer", status, title: "", detail, hint: "opctl client check" });
    },
    async start(name, input, options = {}) {
      return (await post(name, input, options, { prefer: "respond-async" })).value as never;
    },
    async wait(execution, { signal } = {}) {
      const id = typeof execution === "string" ? execution : execution.execution_id;
      for (;;) {
        const earliestNext = Date.now() + 250;
        try {
          const path = "/executions/" + encodeURIComponent(id) + "/output";
          return (await request("GET", path, { signal, headers: { prefer: "wait=30" } })).value as never;
        } catch (error) {
          if (!(error instanceof OperationError) || error.code !== "execution_unfinished") throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, earliestNext - Date.now())));
        signal?.throwIfAborted();
      }
    },
  };
}
`;
