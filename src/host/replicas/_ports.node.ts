/** Ports that replicas listen on: no two of this runner get the same one, also while neither listens yet. */
import { once } from "node:events";
import net from "node:net";
import { SwitchyardError } from "../../core/errors.ts";

const TRIES = 20;

type Taker = { service: string; replica: string };

export class Ports {
  readonly #taken = new Map<number, Taker>();
  readonly #host: string;

  constructor(host: string) {
    this.#host = host;
  }

  /** One that is free; or the one that is wanted, else it throws environment_unavailable. */
  async take(wanted: number | null, taker: Taker): Promise<number> {
    if (wanted !== null) {
      const isFree = !this.#taken.has(wanted) && (await this.#isFree(wanted));
      // Another may have asked for it meanwhile.
      if (!isFree || this.#taken.has(wanted)) throw taken(wanted, { by: this.#taken.get(wanted), taker });
      this.#taken.set(wanted, taker);
      return wanted;
    }
    for (let look = 0; look < TRIES; look++) {
      const port = await this.#anyFree();
      if (port === undefined || this.#taken.has(port)) continue;
      this.#taken.set(port, taker);
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

/** The one before gives it back when the new one is ready, which here it never is: whoever reads this must be told. */
function taken(port: number, { by, taker: { service } }: { by: Taker | undefined; taker: Taker }): SwitchyardError {
  const who =
    by === undefined
      ? "a program has it that no runner of ours has started"
      : by.service === service
        ? `the service's own ${by.replica} has it until another is ready`
        : `${by.replica} of the service "${by.service}" has it`;
  return new SwitchyardError(
    "environment_unavailable",
    `Cannot listen on port ${port}: it must be free on the runner; ${who}: start a second runner, or let the row's port be null`,
    { hint: `opctl edit service ${service} -s port=null` },
  );
}
