/**
 * What the endpoint sends the daemon for one chain: ours, tag 16 of Command, on their own socket.
 *
 * @module
 */
import type { ChainRequest, Level } from "../core/command.ts";
import { maxDepth } from "../core/name.ts";
import type { CertificateId } from "../core/revocation.ts";
import { readCertificateId, writeCertificateId } from "./certificate_id.ts";
import { readCommand, writeCommand } from "./command.ts";
import { type Reader, tags } from "./der.ts";
import {
  boolean,
  type Der,
  encodeDer,
  encoded,
  octets,
  optionalExplicit,
  sequence,
  sequenceOf,
  text,
} from "./der_writer.ts";
import { readLabel } from "./name.ts";
import { readPermissions, writePermissions } from "./permission.ts";
import { readPolicy, writePolicy } from "./policy.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";

/** The number of the request's tag among the commands. */
export const requestTag = 16;

export function readRequest(reader: Reader): ChainRequest {
  return reader.sequence((inside) => {
    const levels = inside.sequenceOf(readLevel);
    if (levels.length > maxDepth) inside.fail("value-refused");
    const leaf = readSha256(inside);
    const label = inside.optional(tags.utf8String, readLabel);
    const expires = readGeneralizedTime(inside);
    const command = readCommand(inside);
    const imageFollows = inside.boolean();
    const permissions = inside.optionalExplicit(0, readPermissions);
    const certificates = inside.optionalExplicit(1, readCertificates);
    return {
      levels,
      leaf,
      ...(label === undefined ? {} : { label }),
      expires,
      command,
      imageFollows,
      ...(permissions === undefined ? {} : { permissions }),
      ...(certificates === undefined ? {} : { certificates }),
    };
  });
}

export function writeRequest(request: ChainRequest): Der {
  return sequence(
    writeLevels(request.levels),
    octets(request.leaf),
    request.label === undefined ? undefined : text(request.label),
    writeGeneralizedTime(request.expires),
    writeCommand(request.command),
    boolean(request.imageFollows),
    optionalExplicit(0, request.permissions, writePermissions),
    optionalExplicit(1, request.certificates, (ids) => sequenceOf(ids, writeCertificateId)),
  );
}

function readCertificates(reader: Reader): readonly CertificateId[] {
  const certificates = reader.sequenceOf(readCertificateId);
  return certificates.length > maxDepth ? reader.fail("value-refused") : certificates;
}

/** Those of a session are the same for every command: they are laid out once. */
function writeLevels(levels: ChainRequest["levels"]): Der {
  const known = written.get(levels);
  if (known !== undefined) return known;
  const der = encoded(encodeDer(sequenceOf(levels, writeLevel)));
  written.set(levels, der);
  return der;
}

function readLevel(reader: Reader): Level {
  return reader.sequence((inside) => {
    const level = {
      label: readLabel(inside),
      policy: readPolicy(inside),
      notBefore: readGeneralizedTime(inside),
      notAfter: readGeneralizedTime(inside),
      fingerprint: readSha256(inside),
    };
    const permissions = inside.optionalExplicit(0, readPermissions);
    const certificate = inside.optionalExplicit(1, readCertificateId);
    return {
      ...level,
      ...(permissions === undefined ? {} : { permissions }),
      ...(certificate === undefined ? {} : { certificate }),
    };
  });
}

function writeLevel(level: Level): Der {
  return sequence(
    text(level.label),
    writePolicy(level.policy),
    writeGeneralizedTime(level.notBefore),
    writeGeneralizedTime(level.notAfter),
    octets(level.fingerprint),
    optionalExplicit(0, level.permissions, writePermissions),
    optionalExplicit(1, level.certificate, writeCertificateId),
  );
}

function readSha256(reader: Reader): Uint8Array {
  const digest = reader.octets();
  return digest.length === 32 ? digest : reader.fail("value-refused");
}

const written = new WeakMap<ChainRequest["levels"], Der>();
