/**
 * A certificate's command carried out by a server.
 *
 * @module
 */
import { describeTls, unanswered } from "../client/describe.ts";
import type { Destination } from "../client/destination.ts";
import type { Credentials } from "../client/leaf.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Connection } from "../host/client_connection.ts";
import type { Environment } from "../host/client_environment.ts";
import { connectRemote } from "../host/client_tls.ts";
import type { Outgoing } from "../host/client_transfer.ts";
import type { Certificate } from "../x509/certificate.ts";
import { converse, type Question } from "./converse.ts";
import { readChain } from "./credentials.ts";
import type { Failure } from "./failure.ts";
import type { Logging } from "./options.ts";
import { inform } from "./report.ts";
import type { Outcome } from "./session.ts";
import { upload } from "./upload.ts";

/** Whom to go to, as whom, and what the leaf says. */
export interface Errand extends Question {
  readonly destination: Destination;
  /** What the server's certificate must come from. */
  readonly anchor: Certificate;
  readonly leaf: Credentials;
  /** What follows on the connection. */
  readonly upload?: Outgoing;
}

export async function execute(environment: Environment, options: Logging, errand: Errand): Promise<Outcome> {
  const { host, port } = errand.destination;
  const connection = await connectRemote({
    host,
    port,
    ...errand.leaf,
    anchor: errand.anchor,
    now: environment.now(),
    settle: errand.upload !== undefined,
  });
  if (!connection.ok) {
    const failure = describeTls(connection.error);
    return { ...failure, text: `${host} port ${port}: ${failure.text}` };
  }
  inform(environment, options, `connected to ${host} port ${port}`);
  const outcome = await carryOut(environment, options, connection.value, errand);
  // Without a word: how albatross's endpoint refuses.
  return outcome === unanswered ? { ...unanswered, status: "refused" } : outcome;
}

/** Sends what follows the command, which is on its way, then hears what comes of it. */
export async function carryOut(
  environment: Environment,
  options: Logging,
  connection: Connection,
  question: Question & { readonly upload?: Outgoing },
): Promise<Outcome> {
  const failed = question.upload && (await upload(environment, connection, question.upload));
  if (failed === undefined) return converse(environment, options, connection, question);
  connection.close();
  return failed;
}

/** The authority of servers: the first certificate of the file. */
export async function readAnchor(environment: Environment, path: string): Promise<Result<Certificate, Failure>> {
  const chain = await readChain(environment, path, "--server-ca is the certificate of the server's authority");
  return chain.ok ? ok(chain.value[0]) : err(chain.error);
}
