/**
 * The intermediates that were met before, read once; and whose signatures were good.
 *
 * They are known by their bytes: what is remembered of one is what reading it
 * again would give. Whether a path of them is good is decided each time.
 *
 * @module
 */
import type { Result } from "../core/result.ts";
import { type Certificate, type CertificateError, parseCertificate } from "../x509/certificate.ts";
import { SignatureCache, sha256 } from "../x509/signature.ts";

export class KnownCertificates {
  readonly signatures: SignatureCache = new SignatureCache(maxPairs);
  readonly #read: Map<string, Certificate> = new Map();

  parse(der: Uint8Array): Result<Certificate, CertificateError> {
    if (der.length > maxBytes) return parseCertificate(der);
    const digest = Buffer.from(sha256(der)).toString("latin1");
    const known = this.#read.get(digest);
    if (known !== undefined) {
      // The oldest unused goes first.
      this.#read.delete(digest);
      this.#read.set(digest, known);
      return { ok: true, value: known };
    }
    const read = parseCertificate(der);
    if (read.ok) this.#remember(digest, read.value);
    return read;
  }

  #remember(digest: string, certificate: Certificate): void {
    this.#read.set(digest, certificate);
    if (this.#read.size <= maxRead) return;
    const [oldest] = this.#read.keys();
    if (oldest !== undefined) this.#read.delete(oldest);
  }
}

/** Certificates kept, and bytes of each: 4 MB at most, though any stranger may have sent them; some 600 bytes are usual. */
const maxRead = 1000;
const maxBytes = 4096;

/** Pairs of digests, 150 bytes each: the intermediates of a large host, ten times over. */
const maxPairs = 10_000;
