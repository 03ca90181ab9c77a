/**
 * Certificate signing requests (PKCS #10, RFC 2986) that ask for one command or policy.
 *
 * @module
 */
import type { KeyObject } from "node:crypto";
import { Attribute, CertificationRequest, Extension, Extensions } from "pkijs";
import { type DerError, decodeDer, type Reader, tags } from "../codec/der.ts";
import { decodeExtension, encodeExtension } from "../codec/extension.ts";
import type { Command } from "../core/command.ts";
import { err, ok, type Result } from "../core/result.ts";
import { encodeName, parseName } from "./distinguished_name.ts";
import { type Extension as ReadExtension, readExtension } from "./extensions.ts";
import { encodePublicKey } from "./keys.ts";
import { oids, printOid, readOid } from "./oid.ts";
import { arrayBuffer, nameSchema, publicKeySchema, signSchema } from "./pkijs_schema.ts";
import { isStrong, type PublicKey, parsePublicKey } from "./public_key.ts";
import { parseAlgorithm, verifySignature } from "./signature.ts";

/** A request whose holder has proved to have the key. */
export interface SigningRequest {
  readonly commonName?: string;
  readonly publicKey: PublicKey;
  /** Absent: nothing of ours is asked for. */
  readonly command?: Command;
}

export type RequestError =
  | DerError
  | { readonly kind: "version"; readonly version: number }
  | { readonly kind: "key-weak" }
  | { readonly kind: "algorithm-unsupported" }
  | { readonly kind: "signature-wrong" }
  | { readonly kind: "extension-repeated" }
  | { readonly kind: "extension-undecodable"; readonly error: DerError };

/** Makes a request of the key's owner; the command's image, if any, goes into it. */
export function encodeRequest(
  key: KeyObject,
  commonName: string | undefined,
  command: Command | undefined,
): Uint8Array {
  const request = new CertificationRequest();
  request.subject = nameSchema(encodeName(commonName));
  request.subjectPublicKeyInfo = publicKeySchema(encodePublicKey(key));
  request.attributes = command === undefined ? [] : [extensionRequest(encodeExtension(command))];
  return signSchema(request, key);
}

/** Reads a request and verifies its signature. */
export function parseRequest(der: Uint8Array): Result<SigningRequest, RequestError> {
  const outer = decodeDer(der, (reader) =>
    reader.sequence((inside) => ({ tbs: inside.raw(), algorithm: inside.raw(), signature: inside.bitString() })),
  );
  if (!outer.ok) return outer;
  const fields = decodeDer(outer.value.tbs, (reader) => reader.sequence(readFields));
  if (!fields.ok) return fields;
  if (fields.value.version !== 1) return err({ kind: "version", version: fields.value.version });
  const subject = parseName(fields.value.subject);
  if (!subject.ok) return subject;
  const publicKey = parsePublicKey(fields.value.spki);
  if (!publicKey.ok) return publicKey;
  if (!isStrong(publicKey.value.shape)) return err({ kind: "key-weak" });
  const algorithm = parseAlgorithm(outer.value.algorithm);
  if (algorithm === undefined) return err({ kind: "algorithm-unsupported" });
  if (!verifySignature(publicKey.value, { ...outer.value, algorithm })) return err({ kind: "signature-wrong" });
  const command = readCommand(fields.value.extensions);
  if (!command.ok) return command;
  return ok({
    publicKey: publicKey.value,
    ...(subject.value.commonName === undefined ? {} : { commonName: subject.value.commonName }),
    ...(command.value === undefined ? {} : { command: command.value }),
  });
}

interface Fields {
  readonly version: number;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly ReadExtension[];
}

/** CertificationRequestInfo; attributes other than extensionRequest (RFC 2985 section 5.4.2) are passed over. */
function readFields(info: Reader): Fields {
  const version = info.integer() + 1;
  const subject = info.raw();
  const spki = info.raw();
  const extensions: ReadExtension[] = [];
  info.optionalExplicit(0, (attributes) => {
    while (!attributes.done) extensions.push(...attributes.sequence(readAttribute));
  });
  return { version, subject, spki, extensions };
}

function readAttribute(attribute: Reader): readonly ReadExtension[] {
  if (readOid(attribute) === oids.extensionRequest) {
    return attribute.constructed(tags.set, (values) => values.sequenceOf(readExtension));
  }
  attribute.raw();
  return [];
}

function readCommand(extensions: readonly ReadExtension[]): Result<Command | undefined, RequestError> {
  const [ours, another] = extensions.filter(({ oid }) => oid === oids.command);
  if (ours === undefined) return ok(undefined);
  if (another !== undefined) return err({ kind: "extension-repeated" });
  const command = decodeExtension(ours.value);
  return command.ok ? command : err({ kind: "extension-undecodable", error: command.error });
}

function extensionRequest(value: Uint8Array): Attribute {
  const extension = new Extension({ extnID: printOid(oids.command), critical: false, extnValue: arrayBuffer(value) });
  const extensions = new Extensions({ extensions: [extension] });
  return new Attribute({ type: printOid(oids.extensionRequest), values: [extensions.toSchema()] });
}
