/** Certificates of any shape, also those that nobody should make. */
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { tags } from "../../src/codec/der.ts";
import {
  bitString,
  boolean,
  constructed,
  type Der,
  encodeDer,
  encoded,
  explicit,
  integer,
  octets,
  primitive,
  sequence,
} from "../../src/codec/der_writer.ts";
import { encodeExtension } from "../../src/codec/extension.ts";
import { writeUtcTime } from "../../src/codec/time.ts";
import type { Command } from "../../src/core/command.ts";
import type { Policy } from "../../src/core/policy.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { algorithmOf, encodePublicKey, type KeyType, keyOptions, signBytes } from "../../src/x509/keys.ts";
import { oids, writeOid } from "../../src/x509/oid.ts";
import { parsePublicKey } from "../../src/x509/public_key.ts";
import { encodeAlgorithm } from "../../src/x509/signature.ts";
import { must, readKey } from "./vectors.ts";

export interface Holder {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

export interface Shape {
  readonly name?: string;
  readonly issuer?: Holder;
  /** The key that signs, where it is not the issuer's. */
  readonly signer?: KeyObject;
  readonly key?: KeyObject;
  /** What is said to be the key. */
  readonly spki?: Uint8Array;
  readonly command?: Command | Uint8Array;
  readonly commandCritical?: boolean;
  readonly version?: number;
  readonly serial?: bigint;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Absent: no basicConstraints. */
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** The first byte of keyUsage; absent: none. */
  readonly usage?: number;
  readonly purposes?: readonly string[];
  /** Absent: both. */
  readonly keyIds?: "none" | "subject" | "authority";
  /** More extensions, encoded. */
  readonly extra?: readonly Der[];
  readonly subject?: Uint8Array;
}

export const now: number = Date.UTC(2026, 10, 22);
export const day: number = 24 * 60 * 60 * 1000;

export const policy: Policy = { unikernels: 2, cpuids: [0], memory: 256, block: 64, bridges: ["service"] };
export const addPolicy: Command = { kind: "policy-add", policy };
export const info: Command = { kind: "unikernel-info", form: "current" };

/** As albatross shapes an authority. */
export const authority: Shape = { ca: true, usage: 0xc6 };
export const client: Shape = { ca: false, usage: 0xa0, purposes: [oids.clientAuth] };
export const server: Shape = { ca: false, usage: 0xa0, purposes: [oids.serverAuth] };

export function root(name = "root"): Holder {
  return forge({ ...authority, name, keyIds: "none" });
}

/** A delegate with `policy` below `issuer`. */
export function delegate(name: string, issuer: Holder, shape: Shape = {}): Holder {
  return forge({ ...authority, command: addPolicy, name, issuer, ...shape });
}

/** A leaf with the command `info` below `issuer`. */
export function leaf(issuer: Holder, shape: Shape = {}): Holder {
  return forge({ ...client, command: info, name: "vm", issuer, ...shape });
}

export function forge(shape: Shape): Holder {
  const key = shape.key ?? freshKey();
  const parsed = parseCertificate(forgeDer({ ...shape, key }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return { certificate: parsed.value, key };
}

export function forgeDer(shape: Shape): Uint8Array {
  const key = shape.key ?? freshKey();
  const signer = shape.signer ?? shape.issuer?.key ?? key;
  const subject = shape.subject ?? encodeName(shape.name);
  const { version = 3, serial = nextSerial(), notBefore = now - day, notAfter = now + day } = shape;
  const tbs = encodeDer(
    sequence(
      version === 1 ? undefined : explicit(0, integer(version - 1)),
      integer(serial),
      encoded(encodeAlgorithm(algorithmOf(signer))),
      encoded(shape.issuer?.certificate.subject.bytes ?? subject),
      sequence(writeUtcTime(notBefore), writeUtcTime(notAfter)),
      encoded(subject),
      encoded(shape.spki ?? encodePublicKey(key)),
      version === 3 ? explicit(3, constructed(tags.sequence, extensions(shape, key))) : undefined,
    ),
  );
  const algorithm = encoded(encodeAlgorithm(algorithmOf(signer)));
  return encodeDer(sequence(encoded(tbs), algorithm, bitString(signBytes(signer, tbs))));
}

export function extension(oid: string, critical: boolean, value: Uint8Array): Der {
  return sequence(writeOid(oid), critical ? boolean(true) : undefined, octets(value));
}

export function freshKey(): KeyObject {
  return generate("ed25519");
}

/** A key of the type; new, but of RSA, which takes too long, one of albatross's three in turn. */
export function generate(type: KeyType): KeyObject {
  const options = keyOptions(type);
  switch (options.algorithm) {
    case "ed25519":
      return generateKeyPairSync("ed25519").privateKey;
    case "ec":
      return generateKeyPairSync("ec", options).privateKey;
    case "rsa":
      rsaKeys += 1;
      return readKey(`pki-${type}/${["sub", "server", `ca-${type}`][rsaKeys % 3]}.key`);
  }
}

let rsaKeys = 0;

function extensions(shape: Shape, key: KeyObject): (Der | undefined)[] {
  const { command, ca, pathLength, usage, purposes, keyIds, issuer } = shape;
  const issuerKey = issuer?.key ?? key;
  return [
    command === undefined
      ? undefined
      : extension(oids.command, shape.commandCritical ?? false, "kind" in command ? encodeExtension(command) : command),
    keyIds === undefined || keyIds === "subject"
      ? extension(oids.subjectKeyId, false, encodeDer(octets(keyId(key))))
      : undefined,
    usage === undefined
      ? undefined
      : extension(oids.keyUsage, true, encodeDer(primitive(tags.bitString, Uint8Array.of(0, usage)))),
    ca === undefined ? undefined : extension(oids.basicConstraints, true, constraints(ca, pathLength)),
    keyIds === undefined || keyIds === "authority"
      ? extension(oids.authorityKeyId, false, encodeDer(sequence(primitive(0x80, keyId(issuerKey)))))
      : undefined,
    purposes === undefined
      ? undefined
      : extension(oids.extendedKeyUsage, true, encodeDer(sequence(...purposes.map(writeOid)))),
    ...(shape.extra ?? []),
  ];
}

function constraints(ca: boolean, pathLength: number | undefined): Uint8Array {
  const limit = pathLength === undefined ? undefined : integer(pathLength);
  return encodeDer(sequence(ca ? boolean(true) : undefined, limit));
}

function keyId(key: KeyObject): Uint8Array {
  const { bits } = must(parsePublicKey(encodePublicKey(key)));
  return createHash("sha1").update(bits).digest();
}

let serials = 0n;

function nextSerial(): bigint {
  serials += 1n;
  return serials;
}
