/** The host's door http as a program of its own, for bundling. It ends the process with the door's exit code. */
import { httpMain } from "../http-server.node.ts";

const log = (line: string): void => void process.stdout.write(`${line}\n`);
void httpMain(process.env, log).then((code) => process.exit(code));
