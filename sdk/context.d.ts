/**
 * What a handler gets as its second argument: `export function echo(input: EchoInput, ctx: Context): EchoOutput`.
 * Types only. It is the same wherever the operation runs.
 */

export type Context = {
  /** Aborts when the call's time is up. Hand it to fetch. */
  readonly signal: AbortSignal;
  /** Lines for whoever runs the platform, who sees them with the operation's name. Secrets are blanked out. */
  readonly log: Readonly<Record<"debug" | "info" | "warn" | "error", (...values: unknown[]) => void>>;
  /** Calls another operation with the rights of whoever started this one. Rejects with an error that has a `code`. */
  call<Output = unknown>(name: string, input?: unknown): Promise<Output>;
  /** The secrets that the operation's row lists. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly execution: {
    readonly id: string;
    readonly attempt: number;
    readonly operation: string;
    readonly revision: number;
    readonly caller: { readonly type: "token" | "execution" | "webhook" | "schedule" | "agent"; readonly id: string };
  };
};

/** A handler's shape. The input has been checked and has its defaults; the output is checked next. */
export type Handler<Input = unknown, Output = unknown> = (input: Input, ctx: Context) => Output | Promise<Output>;
