/** Ports that replicas listen on: no two of this runner get the same one, also while neither listens yet. */
import { once } from "node:events";
import net from "node:net";
import { SwitchyardError } from "../../core/errors.ts";

const TRIES = 20;

export class Ports {
  readonly #taken = new Set<number>();
  readonly #host: string;

  constructor(host: string) {
    this.#host = host;
  }

  /** One that is free; or the one that is wanted, else it throws environment_unavailable. */
  async take(wanted: number | null): Promise<number> {
    if (wanted !== null) {
      if (this.#taken.has(wanted) || !(await this.#isFree(wanted))) throw taken(wanted);
      // Another may have asked for it meanwhile.
      if (this.#taken.has(wanted)) throw taken(wanted);
      this.#taken.add(wanted);
      return wanted;
    }
    for (let look = 0; look < TRIES; look++) {
      const port = await this.#anyFree();
      if (port === undefined || this.#taken.has(port)) continue;
      this.#taken.add(port);
      return port;
    }
    throw new SwitchyardError("environment_unavailable", "Cannot find a free port: one must be free; none is");
  }

  giveBack(port: number): void {
    this.#taken.delete(port);
  }

  async #isFree(port: number): Promise<boolean> {
    return (await this.#bind(port)) !== undefined;
  }

  #anyFree(): Promise<number | undefined> {
    return this.#bind(0);
  }

  async #bind(port: number): Promise<number | undefined> {
    const server = net.createServer();
    try {
      server.listen(port, this.#host);
      await once(server, "listening");
      return (server.address() as net.AddressInfo).port;
    } catch {
      return undefined;
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

function taken(port: number): SwitchyardError {
  return new SwitchyardError(
    "environment_unavailable",
    `Cannot listen on port ${port}: it must be free on the runner; another has it`,
    { hint: "leave the service's port null, or have a runner for each replica" },
  );
}
