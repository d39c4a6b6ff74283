/** What a shell script learns from opctl's exit code. Derived from a problem's HTTP status, in this one table. */
import { ERRORS, type ErrorCode } from "../src/core/errors.ts";

export const EXIT_CODES = {
  0: "it worked",
  1: "it failed: refused by a rule, or a check found something (`diff`, `doctor`, `environment check`)",
  2: "the command or the request was not understood",
  3: "authentication or scope",
  4: "not found",
  5: "conflict: the name is taken, the entry has changed or is in use",
  6: "remote: the platform or the operation's code failed, or nothing answers",
  7: "time-out",
  130: "stopped with Ctrl-C; an execution that was waited for goes on",
} as const;
export type ExitCode = keyof typeof EXIT_CODES;

const BY_STATUS: Readonly<Record<number, ExitCode>> = {
  400: 2,
  401: 3,
  403: 3,
  404: 4,
  405: 2,
  406: 2,
  409: 5,
  412: 5,
  415: 2,
  504: 7,
};

export function exitCodeOf(code: ErrorCode): ExitCode {
  const { status } = ERRORS[code];
  return BY_STATUS[status] ?? (status >= 500 ? 6 : 1);
}
