/** A thread with little memory, in which the hostile expressions run one after the other. Told by index, answers each. */
import { parentPort } from "node:worker_threads";
import { HOSTILE } from "./_hostile.test-util.ts";
import { compileExpression } from "./index.ts";

parentPort?.on("message", (index: number) => {
  void run(index).then((answer) => parentPort?.postMessage(answer, []));
});

async function run(index: number): Promise<{ code: string; message: string; ms: number }> {
  const hostile = HOSTILE[index];
  if (hostile === undefined) throw new RangeError(`There is no hostile expression ${index}`);
  const began = process.threadCpuUsage();
  const end = (code: string, message: string) => {
    const { user, system } = process.threadCpuUsage(began);
    return { code, message, ms: (user + system) / 1_000 };
  };
  try {
    const expression = await compileExpression(hostile.source);
    return end("none", JSON.stringify(await expression.evaluate(hostile.input ?? null)).slice(0, 200));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return end(code ?? "unknown", message);
  }
}
