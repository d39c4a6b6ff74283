/** A line that the runtime printed → what a person reads. Handlers' lines arrive as JSON, the rest as it is. */

type HandlerLine = { level: string; message: string; operation: string };

export function formatLogLine(line: string): string {
  const parsed = parse(line);
  return parsed === undefined
    ? line
    : `[${parsed.operation}] ${parsed.level === "info" ? "" : `${parsed.level}: `}${parsed.message}`;
}

function parse(line: string): HandlerLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line) as Partial<HandlerLine>;
    const isHandlerLine = [value.level, value.message, value.operation].every((part) => typeof part === "string");
    return isHandlerLine ? (value as HandlerLine) : undefined;
  } catch {
    return undefined;
  }
}
