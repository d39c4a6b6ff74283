/** Operations under the names that the conformance scenarios of MCP call. They do what they say, with no word of MCP. */
import type { Context } from "../../../sdk/context.d.ts";

/** Says one sentence. */
export function testSimpleText(): string {
  return "This is a simple text response for testing.";
}

/** Always fails. */
export function testErrorHandling(): string {
  throw new Error("This tool intentionally returns an error for testing");
}

/** Says how far it is while it works. */
export async function testToolWithProgress(_input: object, ctx: Context): Promise<string> {
  for (const done of [0, 50, 100]) {
    ctx.log.info(`${done} of 100`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return "Done.";
}

/** Logs while it works. */
export async function testToolWithLogging(_input: object, ctx: Context): Promise<string> {
  ctx.log.info("Tool execution started");
  await new Promise((resolve) => setTimeout(resolve, 50));
  ctx.log.info("Tool processing data");
  await new Promise((resolve) => setTimeout(resolve, 50));
  ctx.log.info("Tool execution completed");
  return "Done.";
}

/** Takes a while. */
export async function testReconnection(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  return "Done.";
}

/** Takes longer than anybody waits. */
export async function testSlow(_input: object, ctx: Context): Promise<string> {
  await new Promise((resolve, reject) => {
    setTimeout(resolve, 60_000);
    ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error));
  });
  return "Done.";
}
