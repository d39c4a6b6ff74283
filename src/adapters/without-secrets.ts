/**
 * What a place said of a call, without the secrets that the place was reached with: a library, a proxy or a program may repeat
 * them in an error or on its standard error. Only words are looked at; an output is the implementation's own.
 */
import type { ErrorData } from "../core/errors.ts";
import { redactor } from "../core/redact.ts";
import type { EnvironmentHandle } from "../model/environment.ts";
import type { Outcome } from "../model/outcome.ts";

export async function withoutSecrets(outcome: Outcome, environment: EnvironmentHandle): Promise<Outcome> {
  if (Object.keys(environment.secrets).length === 0) return outcome;
  let values: string[];
  try {
    values = Object.values(await environment.openSecrets());
  } catch {
    // What could not be opened has not been told to anybody.
    return outcome;
  }
  const redact = redactor(values);
  const logs = outcome.logs.map((line) => ({ ...line, message: redact(line.message) }));
  return outcome.ok ? { ...outcome, logs } : { ...outcome, logs, error: redactError(outcome.error, redact) };
}

function redactError(error: ErrorData, redact: (text: string) => string): ErrorData {
  const { detail, hint, errors } = error;
  return {
    ...error,
    detail: redact(detail),
    ...(hint === undefined ? {} : { hint: redact(hint) }),
    ...(errors === undefined
      ? {}
      : { errors: errors.map(({ pointer, keyword, detail: said }) => ({ pointer, keyword, detail: redact(said) })) }),
  };
}
