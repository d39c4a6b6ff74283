import { httpMain } from "../http-server.node.ts";
import { runProgram } from "./_program.node.ts";

void runProgram(httpMain);
