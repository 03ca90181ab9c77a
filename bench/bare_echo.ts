/**
 * What the daemon's sockets are measured against: a Node server that sends back
 * what comes.
 *
 * @module
 */
import { createServer } from "node:net";

const [path = ""] = process.argv.slice(2);
const server = createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("data", (piece) => socket.write(piece));
});
server.listen(path, () => process.stdout.write("listening\n"));
process.on("SIGTERM", () => process.exit());
