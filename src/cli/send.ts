/**
 * Where a command goes: to a socket on this machine, to a server over TLS, or
 * into a signing request.
 *
 * @module
 */
import { describeConnection } from "../client/describe.ts";
import type { Destination } from "../client/destination.ts";
import { compressImage, detachImage } from "../client/image.ts";
import { socketOf } from "../client/local.ts";
import { commonNameOf, notInLeaf } from "../client/subject.ts";
import { outgoingBytes } from "../client/upload.ts";
import { encodeMessage } from "../codec/wire.ts";
import { allowedInLeaf } from "../core/command.ts";
import type { Permission } from "../core/permission.ts";
import type { Environment } from "../host/client_environment.ts";
import { connectLocal } from "../host/client_local.ts";
import { encodeRequest } from "../x509/csr.ts";
import { encodeKey } from "../x509/keys.ts";
import { encodePem } from "../x509/pem.ts";
import { issueLeaf, readIssuer } from "./credentials.ts";
import { failure, fileFailure } from "./failure.ts";
import { levelOf, type Networking } from "./options.ts";
import { carryOut, execute, readAnchor } from "./remote.ts";
import { inform, warn } from "./report.ts";
import type { Outcome, Request, Send } from "./session.ts";
import { fileBase } from "./subject.ts";

export function createSend(environment: Environment): Send {
  return (request) => {
    const { csr, destination } = request.options;
    if (csr === true) return writeRequest(environment, request);
    return destination === undefined ? sendLocal(environment, request) : sendRemote(environment, request, destination);
  };
}

async function sendLocal(environment: Environment, request: Request): Promise<Outcome> {
  const { name, command, options } = request;
  if (options.permit !== undefined) return failure("usage", "--permit is for certificates", "it goes with --csr or -d");
  const path = socketOf(options, command);
  const connection = await connectLocal(path);
  if (!connection.ok) {
    const { status, text } = describeConnection(connection.error);
    return { status, text: `${path}: ${text}`, hint: "is the daemon running, and may you write to its socket?" };
  }
  inform(environment, options, `connected to ${path}`);
  const payload = { kind: "command", command: compressImage(command, levelOf(options)) } as const;
  await connection.value.send(encodeMessage({ header: { version: 5, sequence: 0n, name }, payload }));
  return carryOut(environment, options, connection.value, request);
}

async function sendRemote(environment: Environment, request: Request, destination: Destination): Promise<Outcome> {
  const { name, command, options } = request;
  if (!allowedInLeaf(command)) return notInLeaf(command);
  const commonName = commonNameOf(name, command);
  if (!commonName.ok) return commonName.error;
  if (command.kind === "policy-info" && name.path.length > 0) {
    warn(environment, options, "-p changes nothing with -d: all policies at and below your authority are shown");
  }
  const issuer = await readIssuer(environment, options);
  if (!issuer.ok) return issuer.error;
  const anchor = await readAnchor(environment, options.serverCa);
  if (!anchor.ok) return anchor.error;
  const detached = detachImage(compressImage(command, levelOf(options)));
  const subject = { commonName: commonName.value, command: detached.command, ...permissionsOf(options) };
  const leaf = await issueLeaf(environment, issuer.value, options.keyType, subject);
  if (!leaf.ok) return leaf.error;
  const upload = detached.image === undefined ? {} : { upload: outgoingBytes(detached.image.bytes) };
  const errand = { destination, anchor: anchor.value, leaf: leaf.value, ...upload };
  return execute(environment, options, { ...request, ...errand, command: detached.command });
}

function permissionsOf({ permit }: Networking): { readonly permissions?: readonly Permission[] } {
  return permit === undefined ? {} : { permissions: permit };
}

/** Writes `<name>.key` and `<name>.req`, for an authority to sign. */
async function writeRequest(environment: Environment, { name, command, options }: Request): Promise<Outcome> {
  const commonName = commonNameOf(name, command);
  if (!commonName.ok) return commonName.error;
  const base = fileBase(commonName.value, command);
  if (!base.ok) return base.error;
  if (command.kind !== "policy-add" && !allowedInLeaf(command)) warn(environment, options, refusedInLeaf);
  const key = await environment.generateKey(options.keyType);
  const compressed = compressImage(command, levelOf(options));
  const request = encodePem("CERTIFICATE REQUEST", encodeRequest(key, commonName.value, compressed, options.permit));
  const keyWritten = await environment.writeFile(`${base.value}.key`, encodeKey(key), 0o400);
  if (!keyWritten.ok) return fileFailure(keyWritten.error);
  const written = await environment.writeFile(`${base.value}.req`, request, 0o644);
  if (!written.ok) return fileFailure(written.error);
  inform(environment, options, `wrote ${base.value}.key and ${base.value}.req`);
  return undefined;
}

/** albatross-client writes such requests, and its `sign` signs them; no endpoint of either kind takes what comes of it. */
const refusedInLeaf = "no server carries this out for a certificate: it is for the daemon's own machine";
