/** Switchyard's host as a function, by its own door. */
export { handler } from "../../../src/host/lambda-door.node.ts";
