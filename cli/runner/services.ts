/** What a runner may keep running for services, in sentences, and where it notes what it has started. */
import os from "node:os";
import path from "node:path";
import type { RunnerSettings } from "./options.ts";

export function describeServices({ runs, serviceHost }: Pick<RunnerSettings, "runs" | "serviceHost">): string[] {
  if (!runs.includes("replica")) {
    return ["Keeps no services running: that needs --allow process:… or container:…"];
  }
  const sorts = [runs.includes("process") ? "programs" : "", runs.includes("container") ? "containers" : ""];
  const what = sorts.filter((sort) => sort !== "").join(" and ");
  const where =
    serviceHost === undefined
      ? "reached through this runner alone"
      : `listening on ${serviceHost}, where anybody who reaches that address reaches them`;
  return [`Keeps services running, by the same ${what}: ${where}.`];
}

/** One folder for all runners of this user: what one that was killed has left behind, any of them ends. */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  // systemd's StateDirectory= says where, and lets nothing else be written.
  const given = env["STATE_DIRECTORY"]?.split(":")[0];
  if (given !== undefined && given !== "") return path.join(given, "replicas");
  const base = env["XDG_STATE_HOME"];
  const state = base !== undefined && path.isAbsolute(base) ? base : path.join(os.homedir(), ".local", "state");
  return path.join(state, "switchyard-runner", "replicas");
}
