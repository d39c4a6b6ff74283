/**
 * What people want of a service, beside its state machine: its answer to a command, and what is written. A command that the machine
 * would undo at once is refused, and says what to do instead.
 */
import type { ErrorData } from "../core/errors.ts";
import { NO_CRASHES } from "./_crashes.ts";
import type { Ledger } from "./_ledger.ts";
import { commandRefused, refusalOf } from "./_refusals.ts";
import type { Head } from "./_kept.ts";
import { wantedCount } from "./_wanted.ts";
import type { Command } from "./messages.ts";

export type Directing = {
  head: () => Head;
  /** Whether a request could be sent now. */
  hasReady: () => boolean;
  /** It idles from now on, as after a request. */
  idleFrom: (now: number) => void;
  ledger: Ledger;
  write: (work: (now: number) => unknown) => void;
  /** Until nothing is left to be done now. */
  think: () => Promise<void>;
};

/** What stood in the way. */
export async function direct(command: Command, directing: Directing): Promise<ErrorData | undefined> {
  const { head, ledger, write, think } = directing;
  const { name, replicas: bounds } = head().settings.row;
  const who = command.by === undefined ? "somebody" : `"${command.by}"`;
  switch (command.do) {
    case "deploy":
      return deploy(directing, who);
    case "undeploy": {
      const { state, settings } = head();
      const { initial, states } = settings.machine;
      if (wantedCount(head()) === 0) return undefined;
      if (states[initial]?.replicas !== 0) {
        return commandRefused(
          `Cannot undeploy the service "${name}": its state machine must begin with nothing that runs; it begins in "${initial}", which has replicas`,
          `opctl edit service ${name} -s active=false`,
        );
      }
      write((now) => {
        const undone = ledger.change(head(), { nudged: false }, null, now);
        if (state !== initial) ledger.enter(undone, initial, `${who} undeployed it`, now);
      });
      return think().then(() => undefined);
    }
    case "scale": {
      const { state, settings, scaled } = head();
      const refusal = refusalOf(head(), { isStarting: true, now: 0 });
      if (refusal !== undefined) return refusal;
      const machine = settings.row.state_machine;
      if (Object.values(settings.machine.states).every(({ replicas }) => replicas !== null)) {
        return commandRefused(
          `Cannot scale the service "${name}": a state of its state machine must leave the number of replicas open; "${machine}" leaves it open in none`,
          `opctl duplicate state-machine ${machine} -s name=NEW; set replicas to null in a state of NEW; opctl edit service ${name} -s state_machine=NEW`,
        );
      }
      const fixed = settings.machine.states[state]?.replicas ?? null;
      if (fixed !== null) {
        return commandRefused(
          `Cannot scale the service "${name}": its state must leave the number of replicas open; "${state}" says ${fixed}`,
          fixed === 0 ? `opctl service deploy ${name}` : `opctl edit state-machine ${machine}`,
        );
      }
      if (command.replicas < bounds.min || command.replicas > bounds.max) {
        return commandRefused(
          `Cannot scale the service "${name}" to ${command.replicas}: it must have from ${bounds.min} to ${bounds.max} replicas while it has any`,
          command.replicas === 0 ? `opctl service undeploy ${name}` : `opctl edit service ${name}`,
        );
      }
      const what = `${who} scaled it: ${scaled} → ${command.replicas} replicas`;
      write((now) => ledger.change(head(), { scaled: command.replicas }, what, now));
      return think().then(() => undefined);
    }
    case "restart": {
      const generation = head().generation + 1;
      const what = `${who} restarted it: each replica is replaced`;
      write((now) => ledger.change(head(), { generation, crashes: NO_CRASHES }, what, now));
      return think().then(() => undefined);
    }
  }
}

/** As if a request waited, until one is ready. */
async function deploy(
  { head, hasReady, idleFrom, ledger, write, think }: Directing,
  who: string,
): Promise<ErrorData | undefined> {
  const refusal = refusalOf(head(), { isStarting: true, now: 0 });
  if (refusal !== undefined) return refusal;
  if (hasReady() && wantedCount(head()) > 0) {
    write((now) => {
      idleFrom(now);
      ledger.change(head(), { idleSince: null }, null, now);
    });
    return think().then(() => undefined);
  }
  write((now) => ledger.change(head(), { nudged: true, crashes: NO_CRASHES }, `${who} deployed it`, now));
  await think();
  if (wantedCount(head()) > 0) return undefined;
  write((now) => ledger.change(head(), { nudged: false }, null, now));
  const { state, settings } = head();
  return commandRefused(
    `Cannot deploy the service "${settings.row.name}": a request that waits must lead it to a state with replicas; in "${state}" it does not`,
    `opctl diagram state-machine ${settings.row.state_machine} --service ${settings.row.name}`,
  );
}
