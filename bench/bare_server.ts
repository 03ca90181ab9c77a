/**
 * What the endpoint is measured against: Node's own TLS server that asks for a
 * client certificate, lets OpenSSL verify it, and answers with one short reply.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:tls";

const [ca = "", cert = "", key = ""] = process.argv.slice(2);
const files = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
const server = createServer({ ...files, requestCert: true, minVersion: "TLSv1.3" }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.end(reply);
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`listening on port ${typeof address === "object" ? address?.port : "?"}\n`);
});

/** As long as the endpoint's own. */
const reply = Buffer.alloc(64);
