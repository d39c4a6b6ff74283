/** A command line that calls an operation, with a stand-in for each member that its input must have. */

const STAND_INS: Readonly<Record<string, string>> = {
  string: "hi",
  integer: "1",
  number: "1.5",
  boolean: "true",
  null: "null",
  array: "'[]'",
  object: "'{}'",
};

export function exampleCall(operation: string, schema: unknown): string {
  const command = `opctl call ${operation}`;
  if (typeof schema !== "object" || schema === null) return command;
  const { properties, required, type } = schema as { properties?: object; required?: string[]; type?: string };
  if (properties === undefined) return type === undefined || type === "object" ? command : `${command} --input '…'`;
  const members = (required ?? []).map((name) => {
    const member = (properties as Record<string, { type?: unknown; enum?: unknown[]; const?: unknown }>)[name];
    const choice = member?.const ?? member?.enum?.[0];
    const stand =
      choice === undefined
        ? STAND_INS[typeof member?.type === "string" ? member.type : ""]
        : JSON.stringify(choice).replaceAll('"', "");
    return `${name}=${stand ?? "…"}`;
  });
  return [command, ...members].join(" ");
}
