/**
 * The peer of examples/echo.ts on Restate: the same payload in and out, once without a durable step and once with one.
 * Listens on a free port of 127.0.0.1 and prints it. Run by bench/durable/restate.ts.
 */
import http2 from "node:http2";
import * as restate from "@restatedev/restate-sdk";

const echo = restate.service({
  name: "Echo",
  handlers: {
    echo: async (_context, input) => ({ output_str: input.input_str }),
    echo_step: async (context, input) => {
      const said = await context.run("say", () => input.input_str);
      return { output_str: said };
    },
  },
});

const server = http2.createServer(restate.createEndpointHandler({ services: [echo] }));
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
