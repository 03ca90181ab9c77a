/**
 * What follows a command on its connection, with its progress shown.
 *
 * @module
 */
import { sendUpload } from "../client/upload.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Environment } from "../host/client_environment.ts";
import type { Outgoing } from "../host/client_transfer.ts";
import { type Failure, fileFailure } from "./failure.ts";
import { Progress } from "./progress.ts";

export async function upload(
  environment: Environment,
  connection: Connection,
  outgoing: Outgoing,
): Promise<Failure | undefined> {
  const progress = new Progress(environment, "sent", outgoing.size);
  const sent = await sendUpload(connection, outgoing.pieces(), () => progress.show(outgoing.read()));
  progress.end(outgoing.read());
  return sent.ok ? undefined : fileFailure(sent.error, "nothing on the server has changed");
}
