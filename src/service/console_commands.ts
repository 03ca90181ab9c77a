/**
 * The commands about consoles: a subscription, and the list of those whose
 * unikernel is gone.
 *
 * @module
 */
import type { Header } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import { describePath } from "../core/describe.ts";
import { type Name, printName } from "../core/name.ts";
import type { Connection } from "./connection.ts";
import type { Consoles } from "./consoles.ts";

/** Resolves when the command has been answered to its end: a subscription's, when either side closes. */
export async function serveConsoles(
  consoles: Consoles,
  connection: Connection,
  header: Header,
  name: Name,
  command: Command,
): Promise<void> {
  switch (command.kind) {
    case "console-list-inactive": {
      if (name.label !== undefined) {
        return connection.fail(header, `${printName(name)} is a name, and this command needs a path`);
      }
      const names = consoles.inactive(name.path);
      connection.send(header, { kind: "success", success: { kind: "consoles", names } });
      return;
    }
    case "console-subscribe": {
      if (name.label === undefined) {
        return connection.fail(header, `${describePath(name.path)} is a path, and a console is one unikernel's`);
      }
      const text = consoles.knows(name) ? "subscribed" : "waiting for VM";
      connection.send(header, { kind: "success", success: { kind: "string", text } });
      const unsubscribe = consoles.subscribe(name, command.from, {
        send: (messages) => connection.push(messages),
        close: () => connection.socket.destroy(),
      });
      await connection.inbox.anything();
      unsubscribe();
      return;
    }
    default:
      return connection.fail(header, "this daemon opens its consoles itself");
  }
}
