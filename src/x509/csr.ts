/**
 * Certificate signing requests (PKCS #10, RFC 2986) that ask for one command or policy.
 *
 * @module
 */
import type { KeyObject } from "node:crypto";
import { Attribute, CertificationRequest, type Extension, Extensions } from "pkijs";
import { type DerError, decodeDer, type Reader, tags } from "../codec/der.ts";
import { decodeExtension, encodeExtension } from "../codec/extension.ts";
import { decodePermissions, encodePermissions } from "../codec/permission.ts";
import type { Command } from "../core/command.ts";
import type { Permission } from "../core/permission.ts";
import { err, ok, type Result } from "../core/result.ts";
import { encodeName, parseName } from "./distinguished_name.ts";
import { type Extension as ReadExtension, readExtension } from "./extensions.ts";
import { wrap } from "./issue.ts";
import { encodePublicKey } from "./keys.ts";
import { type Oid, oids, printOid, readOid } from "./oid.ts";
import { nameSchema, publicKeySchema, signSchema } from "./pkijs_schema.ts";
import { isStrong, type PublicKey, parsePublicKey } from "./public_key.ts";
import { parseAlgorithm, verifySignature } from "./signature.ts";

/** A request whose holder has proved to have the key. */
export interface SigningRequest {
  readonly commonName?: string;
  readonly publicKey: PublicKey;
  /** Absent: nothing of ours is asked for. */
  readonly command?: Command;
  /** Absent: everything is to be permitted. */
  readonly permissions?: readonly Permission[];
}

export type RequestError =
  | DerError
  | { readonly kind: "version"; readonly version: number }
  | { readonly kind: "key-weak" }
  | { readonly kind: "algorithm-unsupported" }
  | { readonly kind: "signature-wrong" }
  | { readonly kind: "extension-repeated" }
  | { readonly kind: "extension-undecodable"; readonly error: DerError };

/**
 * Makes a request of the key's owner; the command's image, if any, goes into it.
 *
 * @param permissions - absent: everything is to be permitted
 */
export function encodeRequest(
  key: KeyObject,
  commonName: string | undefined,
  command: Command | undefined,
  permissions?: readonly Permission[],
): Uint8Array {
  const request = new CertificationRequest();
  request.subject = nameSchema(encodeName(commonName));
  request.subjectPublicKeyInfo = publicKeySchema(encodePublicKey(key));
  const extensions = [
    ...(command === undefined ? [] : [wrap(oids.command, false, encodeExtension(command))]),
    ...(permissions === undefined ? [] : [wrap(oids.permissions, false, encodePermissions(permissions))]),
  ];
  request.attributes = extensions.length === 0 ? [] : [extensionRequest(extensions)];
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
  const command = readAsked(fields.value.extensions, oids.command, decodeExtension);
  if (!command.ok) return command;
  const permissions = readAsked(fields.value.extensions, oids.permissions, decodePermissions);
  if (!permissions.ok) return permissions;
  return ok({
    publicKey: publicKey.value,
    ...(subject.value.commonName === undefined ? {} : { commonName: subject.value.commonName }),
    ...(command.value === undefined ? {} : { command: command.value }),
    ...(permissions.value === undefined ? {} : { permissions: permissions.value }),
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

/** What of ours is asked for: the value of one extension. */
function readAsked<T>(
  extensions: readonly ReadExtension[],
  wanted: Oid,
  decode: (value: Uint8Array) => Result<T, DerError>,
): Result<T | undefined, RequestError> {
  const [asked, another] = extensions.filter(({ oid }) => oid === wanted);
  if (asked === undefined) return ok(undefined);
  if (another !== undefined) return err({ kind: "extension-repeated" });
  const value = decode(asked.value);
  return value.ok ? value : err({ kind: "extension-undecodable", error: value.error });
}

function extensionRequest(extensions: Extension[]): Attribute {
  const value = new Extensions({ extensions }).toSchema();
  return new Attribute({ type: printOid(oids.extensionRequest), values: [value] });
}
