/** One long attempt, and the edge killed again and again under it: it is not dead before its limit, and ends in the end. */
import { waitUntil } from "../e2e/_platform.ts";
import type { Client } from "./_client.ts";
import type { History } from "./_history.ts";
import type { Victim } from "./_victim.ts";

export async function restartUnder(
  { victim, client, history }: { victim: Victim; client: Client; history: History },
  { restarts, attemptMs, say }: { restarts: number; attemptMs: number; say: (line: string) => void },
): Promise<void> {
  const asked = history.ask("soak_slow", { ms: attemptMs }, { key: "long" });
  const id = (await client.call(asked, Date.now() + 60_000)) ?? "";
  for (let n = 1; n <= restarts; n++) {
    // An attempt must be under way, or the kill would interrupt none.
    await waitUntil(
      async () => {
        const view = await client.view(id);
        if (view !== undefined && (view.status === "dead" || view.status === "succeeded")) {
          throw new Error(`it is ${view.status} after ${n - 1} restarts: ${JSON.stringify(view)}`);
        }
        return view?.status === "running" && view.attempt === n;
      },
      60_000,
      () => `no attempt ${n} of ${id} runs; ${victim.printed().slice(-2_000)}`,
    );
    await victim.kill("edge");
    if (n % 10 === 0) say(`${n} restarts under one execution`);
  }
  await waitUntil(
    async () => {
      const seen = await client.seen(id);
      if (seen === undefined) return false;
      history.ended.set(id, seen);
      return true;
    },
    attemptMs + 60_000,
    () => `${id} does not end`,
  );
  const { view } = history.ended.get(id) ?? {};
  const interrupted = view?.attempts.filter(({ end }) => end === "interrupted").length;
  if (view?.status !== "succeeded") history.wrong("restarts do not kill an execution", `it is ${view?.status}`, id);
  if (interrupted !== restarts) history.wrong("each restart is one interruption", `${interrupted} of ${restarts}`, id);
}
