/**
 * The client's connection to a daemon on this machine.
 *
 * @module
 */
import { connect } from "node:net";
import { err, ok, type Result } from "../core/result.ts";
import { type Connection, type ConnectionError, errorCode, openConnection } from "./client_connection.ts";

/** @param path - of the Unix socket */
export function connectLocal(path: string): Promise<Result<Connection, ConnectionError>> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const refuse = (error: Error): void => resolve(err({ kind: "unreachable", code: errorCode(error) }));
    socket.once("error", refuse);
    socket.once("connect", () => {
      socket.off("error", refuse);
      resolve(ok(openConnection(socket, (error) => ({ kind: "broken", code: errorCode(error) }))));
    });
  });
}
