import { jobMain } from "../job-door.node.ts";
import { runProgram } from "./_program.node.ts";

void runProgram(jobMain);
