/** Is the port free? Asked before anything is started, so that the answer is one clear sentence. */
import net from "node:net";
import { SwitchyardError } from "../../src/core/errors.ts";

/** Throws `port_in_use`, naming a free port nearby. */
export async function assertPortFree(port: number, host = "127.0.0.1"): Promise<void> {
  if (await isFree(port, host)) return;
  let free: number | undefined;
  for (let near = port + 1; near <= Math.min(port + 20, 65_535) && free === undefined; near++) {
    if (await isFree(near, host)) free = near;
  }
  throw new SwitchyardError(
    "port_in_use",
    `Cannot listen on ${host}:${port}: the port must be free; another process listens there`,
    {
      hint:
        free === undefined
          ? "pass --port with a free one"
          : `pass --port ${free}, which is free (and --state for a second platform)`,
    },
  );
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(new SwitchyardError("bad_request", `Cannot listen on ${host}:${port}: ${error.message}`));
    });
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
