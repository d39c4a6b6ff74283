/** The service that is measured: answers GET with one small JSON value. Notes each start in the file that STARTS names. */
import { appendFileSync } from "node:fs";
import http from "node:http";

const { PORT = "0", HOST = "127.0.0.1", STARTS } = process.env;
const BODY = JSON.stringify([{ album_id: 1, title: "Kind of Blue", artist: "Miles Davis" }]);

const server = http.createServer((_request, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": BODY.length }).end(BODY);
});
server.listen(Number(PORT), HOST, () => {
  if (STARTS !== undefined) appendFileSync(STARTS, `${process.pid}\n`);
});
process.once("SIGTERM", () => {
  server.close();
  server.closeIdleConnections();
});
