/**
 * People with certificates.
 *
 * @module
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeExtension } from "../src/codec/extension.ts";
import type { Command } from "../src/core/command.ts";
import type { Policy } from "../src/core/policy.ts";
import { type Certificate, parseCertificate } from "../src/x509/certificate.ts";
import { issueCertificate, type Profile } from "../src/x509/issue.ts";
import { encodeKey, encodePublicKey, type KeyType, keyOptions } from "../src/x509/keys.ts";
import { encodeCertificates } from "../src/x509/pem.ts";

/** Somebody with a certificate and its key. */
export interface Holder {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

export class Pki {
  readonly type: KeyType;
  readonly root: Holder;
  readonly alice: Holder;
  readonly #server: Holder;

  constructor(type: KeyType) {
    this.type = type;
    this.root = this.#issue("authority", "root");
    this.#server = this.#issue("server", "server", this.root);
    this.alice = this.delegate("alice", this.root);
  }

  /** Somebody to whom `above` delegates. */
  delegate(name: string, above: Holder): Holder {
    return this.#issue("authority", name, above, { kind: "policy-add", policy });
  }

  /** Writes what a server wants: cacert.pem, server.pem, server.key. @returns their paths */
  write(folder: string): readonly [string, string, string] {
    const file = (name: string, text: string): string => {
      const path = join(folder, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    return [
      file("cacert.pem", encodeCertificates([this.root.certificate.raw])),
      file("server.pem", encodeCertificates([this.#server.certificate.raw])),
      file("server.key", encodeKey(this.#server.key)),
    ];
  }

  /**
   * What somebody presents who wants that.
   *
   * @param chain - who he is: his certificate, and those above it
   */
  present(
    command: Command,
    name = "vm",
    chain: readonly [Holder, ...Holder[]] = [this.alice],
  ): { readonly cert: string; readonly key: string } {
    const leaf = this.#issue("client", name, chain[0], command);
    return {
      cert: encodeCertificates([leaf, ...chain].map(({ certificate }) => certificate.raw)),
      key: encodeKey(leaf.key),
    };
  }

  #issue(profile: Profile, commonName: string, issuer?: Holder, command?: Command): Holder {
    return issue(this.type, profile, commonName, issuer, command);
  }
}

/** Valid for an hour; without an issuer self-signed. */
export function issue(type: KeyType, profile: Profile, commonName: string, issuer?: Holder, command?: Command): Holder {
  const key = generateKey(type);
  const der = issueCertificate({
    ...{ profile, commonName, publicKey: encodePublicKey(key), issuerKey: issuer?.key ?? key },
    ...(command === undefined ? {} : { extension: encodeExtension(command) }),
    ...(issuer === undefined ? {} : { issuer: issuer.certificate }),
    notBefore: Date.now() - 10_000,
    notAfter: Date.now() + 3_600_000,
    serial: randomBytes(10),
  });
  const certificate = parseCertificate(der);
  if (!certificate.ok) throw new Error(`unreadable certificate of our own: ${certificate.error.kind}`);
  return { certificate: certificate.value, key };
}

function generateKey(type: KeyType): KeyObject {
  const options = keyOptions(type);
  switch (options.algorithm) {
    case "ed25519":
      return generateKeyPairSync("ed25519").privateKey;
    case "ec":
      return generateKeyPairSync("ec", { namedCurve: options.namedCurve }).privateKey;
    case "rsa":
      return generateKeyPairSync("rsa", { modulusLength: options.modulusLength }).privateKey;
  }
}

const policy: Policy = { unikernels: 10, cpuids: [0], memory: 1024, block: 2000, bridges: [] };
