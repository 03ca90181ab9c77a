/**
 * The development PKI: every key from a seed that is its name, every date and
 * serial fixed, so that the same bytes come out wherever it is made.
 *
 *     fulmar-development ─┬─ server
 *                         └─ alice ─┬─ bob
 *                                   └─ charlie
 *
 * Anyone can make these keys: they protect nothing.
 *
 * @module
 */
import { createHash, type KeyObject } from "node:crypto";
import { encodeExtension } from "../src/codec/extension.ts";
import type { Policy } from "../src/core/policy.ts";
import { type Certificate, parseCertificate } from "../src/x509/certificate.ts";
import { issueCertificate, type Profile } from "../src/x509/issue.ts";
import { encodeKey, encodePublicKey, keyFromSeed } from "../src/x509/keys.ts";
import { encodeCertificates } from "../src/x509/pem.ts";

/** The files by name. A certificate file holds the certificate, then its issuers up to the root, without it. */
export function makeDevelopment(): ReadonlyMap<string, string> {
  const root = issue({ name: "fulmar-development", profile: "authority" });
  const server = issue({ name: "server", profile: "server", issuer: root });
  const alice = issue({ name: "alice", profile: "authority", issuer: root, policy: two });
  const bob = issue({ name: "bob", profile: "authority", issuer: alice, policy: two });
  const charlie = issue({ name: "charlie", profile: "authority", issuer: alice, policy: two });
  return new Map([
    ["cacert.pem", encodeCertificates([root.certificate.raw])],
    ["ca.key", encodeKey(root.key)],
    ...[server, alice, bob, charlie].flatMap(filesOf),
  ]);
}

interface Holder {
  readonly name: string;
  readonly key: KeyObject;
  readonly certificate: Certificate;
  readonly issuer?: Holder;
}

interface Wish {
  readonly name: string;
  readonly profile: Profile;
  readonly issuer?: Holder;
  readonly policy?: Policy;
}

function issue({ name, profile, issuer, policy }: Wish): Holder {
  const key = keyFromSeed(digest(`fulmar development key of ${name}`));
  const der = issueCertificate({
    profile,
    commonName: name,
    publicKey: encodePublicKey(key),
    issuerKey: issuer?.key ?? key,
    notBefore: Date.UTC(2026, 0),
    notAfter: Date.UTC(2046, 0),
    serial: digest(`fulmar development serial of ${name}`).subarray(0, 10),
    ...(issuer === undefined ? {} : { issuer: issuer.certificate }),
    ...(policy === undefined ? {} : { extension: encodeExtension({ kind: "policy-add", policy }) }),
  });
  const certificate = parseCertificate(der);
  if (!certificate.ok) throw new Error(`unreadable certificate: ${certificate.error.kind}`);
  return { name, key, certificate: certificate.value, ...(issuer === undefined ? {} : { issuer }) };
}

function filesOf(holder: Holder): [string, string][] {
  const chain: Uint8Array[] = [];
  for (let at = holder; at.issuer !== undefined; at = at.issuer) chain.push(at.certificate.raw);
  return [
    [`${holder.name}.pem`, encodeCertificates(chain)],
    [`${holder.name}.key`, encodeKey(holder.key)],
  ];
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Alice's policy, and what she passes on to Bob and to Charlie: two unikernels, for all three together. */
const two: Policy = { unikernels: 2, cpuids: [0], memory: 256, block: 64, bridges: ["service"] };
