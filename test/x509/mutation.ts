/**
 * Chains that are valid but for what is changed in them: field by field, before
 * signing, so that each change is seen for itself; byte by byte, signed again;
 * and in what is presented, in which order.
 */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  bitString,
  boolean,
  constructed,
  type Der,
  encodeDer,
  encoded,
  octets,
  primitive,
  sequence,
} from "../../src/codec/der_writer.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { algorithmOf, encodePublicKey, type KeyType, signBytes } from "../../src/x509/keys.ts";
import { oids, writeOid } from "../../src/x509/oid.ts";
import { encodeAlgorithm } from "../../src/x509/signature.ts";
import {
  authority,
  client,
  day,
  extension,
  forge,
  forgeDer,
  freshKey,
  generate,
  type Holder,
  now,
  type Shape,
} from "./forge.ts";

/** `at` counts along the path: 0 is the leaf, `depth + 1` the anchor. */
export interface Plan {
  /** Authorities between the leaf and the anchor. */
  readonly depth: number;
  readonly keyType: KeyType;
  readonly fields: readonly (readonly [at: number, change: string])[];
  /** One bit of what is signed. */
  readonly flips: readonly (readonly [at: number, bit: number])[];
  readonly presented: string;
}

export interface Chain {
  /** Leaf first. */
  readonly presented: readonly Uint8Array[];
  readonly anchor: Uint8Array;
}

/** Changes of a certificate, by name. */
export const fieldChanges: Readonly<Record<string, (shape: Shape) => Shape>> = {
  expired: (shape) => ({ ...shape, notAfter: now - 1000 }),
  "valid to this second": (shape) => ({ ...shape, notAfter: now }),
  "valid from this second": (shape) => ({ ...shape, notBefore: now }),
  "not yet valid": (shape) => ({ ...shape, notBefore: now + 1000 }),
  "over before it begins": (shape) => ({ ...shape, notBefore: now + day, notAfter: now - day }),
  "no basicConstraints": (shape) => without(shape, "ca"),
  "an authority": (shape) => ({ ...shape, ca: true }),
  "no authority": (shape) => ({ ...shape, ca: false }),
  "basicConstraints not critical": (shape) =>
    add(
      without(shape, "ca"),
      extension(oids.basicConstraints, false, der(sequence(shape.ca ? boolean(true) : undefined))),
    ),
  "path length 0": (shape) => ({ ...shape, pathLength: 0 }),
  "path length 1": (shape) => ({ ...shape, pathLength: 1 }),
  "path length -1": (shape) => ({ ...shape, pathLength: -1 }),
  "no keyUsage": (shape) => without(shape, "usage"),
  "keyUsage nothing": (shape) => ({ ...shape, usage: 0 }),
  "keyUsage digitalSignature": (shape) => ({ ...shape, usage: 0x80 }),
  "keyUsage keyEncipherment": (shape) => ({ ...shape, usage: 0x20 }),
  "keyUsage keyAgreement": (shape) => ({ ...shape, usage: 0x08 }),
  "keyUsage keyCertSign": (shape) => ({ ...shape, usage: 0x04 }),
  "keyUsage all": (shape) => ({ ...shape, usage: 0xff }),
  "keyUsage not critical": (shape) =>
    add(
      without(shape, "usage"),
      extension(oids.keyUsage, false, der(primitive(3, Uint8Array.of(0, shape.usage ?? 0)))),
    ),
  "no purposes": (shape) => without(shape, "purposes"),
  "for servers": (shape) => ({ ...shape, purposes: [oids.serverAuth] }),
  "for clients": (shape) => ({ ...shape, purposes: [oids.clientAuth] }),
  "for both": (shape) => ({ ...shape, purposes: [oids.serverAuth, oids.clientAuth] }),
  "for anything": (shape) => ({ ...shape, purposes: [oids.anyExtendedKeyUsage] }),
  "for nothing": (shape) => ({ ...shape, purposes: [] }),
  "no key identifiers": (shape) => ({ ...shape, keyIds: "none" }),
  "no key identifier of the subject": (shape) => ({ ...shape, keyIds: "authority" }),
  "no key identifier of the issuer": (shape) => ({ ...shape, keyIds: "subject" }),
  "another issuer's key identifier": (shape) =>
    add({ ...shape, keyIds: "subject" }, authorityKeyId(Uint8Array.of(1, 2))),
  "another subject's key identifier": (shape) =>
    add({ ...shape, keyIds: "authority" }, extension(oids.subjectKeyId, false, der(octets(Uint8Array.of(1, 2))))),
  "empty key identifier": (shape) =>
    add({ ...shape, keyIds: "subject" }, extension(oids.authorityKeyId, false, der(sequence()))),
  "critical key identifier": (shape) =>
    add({ ...shape, keyIds: "authority" }, extension(oids.subjectKeyId, true, der(octets(Uint8Array.of(1, 2))))),
  "version 1": (shape) => ({ ...shape, version: 1 }),
  "version 2": (shape) => ({ ...shape, version: 2 }),
  "version 4": (shape) => ({ ...shape, version: 4 }),
  "serial 0": (shape) => ({ ...shape, serial: 0n }),
  "serial -1": (shape) => ({ ...shape, serial: -1n }),
  "serial of 21 bytes": (shape) => ({ ...shape, serial: 2n ** 160n }),
  "no subject": (shape) => ({ ...shape, subject: encodeName(undefined) }),
  "its issuer's name": (shape) => ({ ...shape, subject: issuerName(shape) }),
  "its issuer's name in capitals": (shape) => issuedUnder(shape, (name) => name.toUpperCase()),
  "its issuer's name with spaces": (shape) => issuedUnder(shape, (name) => ` ${name} `),
  "another issuer's name": (shape) => issuedUnder(shape, () => "nobody"),
  "signed by nobody": (shape) => ({ ...shape, signer: nobodys }),
  "signed by itself": (shape) => (shape.key === undefined ? shape : { ...shape, signer: shape.key }),
  "an RSA key of 1024 bits": (shape) => ({ ...shape, key: weak.rsa1024 }),
  "a key on secp256k1": (shape) => ({ ...shape, key: weak.secp256k1 }),
  "a key beside its curve": (shape) => ({ ...shape, spki: besideCurve }),
  "our extension critical": (shape) => ({ ...shape, command: Uint8Array.of(5, 0), commandCritical: true }),
  "an unknown extension": (shape) => add(shape, extension("2a03", false, Uint8Array.of(1))),
  "an unknown critical extension": (shape) => add(shape, extension("2a03", true, Uint8Array.of(1))),
  "an extension with critical spelled out": (shape) =>
    add(shape, sequence(writeOid("2a03"), boolean(false), octets(Uint8Array.of(1)))),
  "an unknown extension twice": (shape) =>
    add(shape, extension("2a03", false, Uint8Array.of(1)), extension("2a03", false, Uint8Array.of(1))),
  "keyUsage twice": (shape) => add(shape, extension(oids.keyUsage, true, der(primitive(3, Uint8Array.of(0, 0xff))))),
  "basicConstraints twice": (shape) => add(shape, extension(oids.basicConstraints, true, der(sequence(boolean(true))))),
  "policy constraints": (shape) =>
    add(shape, extension(oids.policyConstraints, true, Uint8Array.of(0x30, 3, 0x80, 1, 0))),
  "a critical policy": (shape) => add(shape, extension("551d20", true, der(sequence(sequence(writeOid("2a03")))))),
  "a policy": (shape) => add(shape, extension("551d20", false, der(sequence(sequence(writeOid("2a03")))))),
  "an alternative name": (shape) => add(shape, alternativeName("www.example.com", false)),
  "a critical alternative name": (shape) => add(shape, alternativeName("www.example.com", true)),
  "a malformed alternative name": (shape) => add(shape, alternativeName("www_.example..com", false)),
  "name constraints met": (shape) => add(shape, nameConstraints("example.com", true)),
  "name constraints for others": (shape) => add(shape, nameConstraints("example.org", true)),
  "name constraints not critical": (shape) => add(shape, nameConstraints("example.com", false)),
};

/** Changes of the list that is presented, by name. */
export const listChanges: Readonly<
  Record<string, (list: readonly Uint8Array[], anchor: Uint8Array) => readonly Uint8Array[]>
> = {
  "as it is": (list) => list,
  "with the anchor": (list, anchor) => [...list, anchor],
  "each twice": (list) => list.flatMap((it) => [it, it]),
  "issuers turned round": ([leaf, ...rest]) => (leaf === undefined ? [] : [leaf, ...rest.toReversed()]),
  "without the last": (list) => list.slice(0, -1),
  "without the leaf": (list) => list.slice(1),
  "with a stranger": (list) => [...list, stranger],
  "a stranger before the issuer": ([leaf, ...rest]) => (leaf === undefined ? [] : [leaf, stranger, ...rest]),
};

/** What `plan` describes. */
export function buildChain({ depth, keyType, fields, flips, presented }: Plan): Chain {
  const list: Uint8Array[] = [];
  let issuer: Holder | undefined;
  for (let at = depth + 1; at >= 0; at--) {
    const key = keys[keyType][at] ?? freshKey();
    const original: Shape = {
      ...shapeAt(at, depth),
      key,
      ...(issuer === undefined ? { keyIds: "subject" } : { issuer }),
    };
    const shape = fields
      .filter(([where]) => where === at)
      .reduce((before, [, change]) => changed(before, change), original);
    const bits = flips.filter(([where]) => where === at).map(([, bit]) => bit);
    list.unshift(flipBits(forgeDer(shape), bits, shape.signer ?? issuer?.key ?? shape.key ?? key));
    issuer = { certificate: namesake(shape), key: shape.key ?? key };
  }
  const anchor = list.pop() ?? new Uint8Array();
  return { presented: listChanges[presented]?.(list, anchor) ?? list, anchor };
}

/** The greatest number of a bit that a flip may name; more wrap around. */
export const maxBit = 4000;

function changed(shape: Shape, change: string): Shape {
  return fieldChanges[change]?.(shape) ?? shape;
}

function shapeAt(at: number, depth: number): Shape {
  if (at === 0) return { ...client, name: "vm", command: Uint8Array.of(5, 0) };
  return { ...authority, name: at > depth ? "root" : `level-${at}` };
}

/** Whatever became of the certificate, the next one is issued under its name. */
function namesake(shape: Shape): Certificate {
  return { ...template, subject: { bytes: shape.subject ?? encodeName(shape.name) } };
}

/** The certificate with these bits of its signed part changed, signed as before. */
function flipBits(certificate: Uint8Array, bits: readonly number[], signer: KeyObject): Uint8Array {
  if (bits.length === 0) return certificate;
  const header = certificate[1] === 0x82 ? 4 : 3;
  const tbsHeader = certificate[header + 1] === 0x82 ? 4 : 3;
  const length =
    tbsHeader === 4
      ? certificate.slice(header + 2, header + 4).reduce((sum, byte) => sum * 256 + byte, 0)
      : (certificate[header + 2] ?? 0);
  const tbs = certificate.slice(header, header + tbsHeader + length);
  for (const bit of bits) {
    const at = (bit >> 3) % tbs.length;
    tbs[at] = (tbs[at] ?? 0) ^ (1 << (bit & 7));
  }
  const algorithm = encoded(encodeAlgorithm(algorithmOf(signer)));
  return encodeDer(sequence(encoded(tbs), algorithm, bitString(signBytes(signer, tbs))));
}

function without(shape: Shape, field: keyof Shape): Shape {
  return Object.fromEntries(Object.entries(shape).filter(([key]) => key !== field));
}

function add(shape: Shape, ...extra: readonly Der[]): Shape {
  return { ...shape, extra: [...(shape.extra ?? []), ...extra] };
}

function der(value: Der): Uint8Array {
  return encodeDer(value);
}

function issuerName(shape: Shape): Uint8Array {
  return shape.issuer?.certificate.subject.bytes ?? encodeName(shape.name);
}

/** The issuer's name, spelled otherwise. */
function issuedUnder(shape: Shape, spell: (name: string) => string): Shape {
  if (shape.issuer === undefined) return shape;
  const { certificate, key } = shape.issuer;
  const spelled = spell(Buffer.from(certificate.subject.bytes.subarray(13)).toString());
  return { ...shape, issuer: { certificate: { ...certificate, subject: { bytes: encodeName(spelled) } }, key } };
}

function authorityKeyId(id: Uint8Array): Der {
  return extension(oids.authorityKeyId, false, der(sequence(primitive(0x80, id))));
}

function alternativeName(name: string, critical: boolean): Der {
  return extension(oids.subjectAltName, critical, der(sequence(primitive(0x82, Buffer.from(name)))));
}

function nameConstraints(name: string, critical: boolean): Der {
  const subtree = sequence(primitive(0x82, Buffer.from(name)));
  return extension(oids.nameConstraints, critical, der(sequence(constructed(0xa0, [subtree]))));
}

const template = forge({ ...authority, name: "template" }).certificate;

const nobodys = freshKey();

const weak = {
  rsa1024: generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey,
  secp256k1: generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey,
};

const besideCurve = encodePublicKey(generate("p256"));
besideCurve[besideCurve.length - 1] = (besideCurve.at(-1) ?? 0) ^ 1;

const stranger = forgeDer({ ...authority, name: "level-1", keyIds: "none" });

/** Enough for each place of a chain, made once. */
const keys: Readonly<Record<KeyType, readonly KeyObject[]>> = {
  ed25519: five("ed25519"),
  p256: five("p256"),
  p384: five("p384"),
  p521: five("p521"),
  rsa2048: five("rsa2048"),
  rsa4096: five("rsa4096"),
};

function five(type: KeyType): readonly KeyObject[] {
  return Array.from({ length: 5 }, () => generate(type));
}
