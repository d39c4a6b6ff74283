/** The host's door job as a program of its own, for bundling. It ends the process with the door's exit code. */
import { jobMain } from "../job-door.node.ts";

const log = (line: string): void => void process.stdout.write(`${line}\n`);
void jobMain(process.env, log).then((code) => process.exit(code));
