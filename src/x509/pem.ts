/**
 * PEM files (RFC 7468): several blocks, any text around them.
 *
 * @module
 */
import { err, ok, type Result } from "../core/result.ts";
import { type Certificate, type CertificateError, parseCertificate } from "./certificate.ts";

export interface PemBlock {
  /** What stands after `BEGIN`. */
  readonly label: string;
  readonly der: Uint8Array;
}

/** `line` counts from 1. */
export type PemError =
  | { readonly kind: "pem-not-ended"; readonly label: string; readonly line: number }
  | { readonly kind: "pem-bad-base64"; readonly label: string; readonly line: number }
  | { readonly kind: "pem-missing"; readonly label: string }
  /** `index` counts the file's certificates from 0. */
  | { readonly kind: "pem-bad-certificate"; readonly index: number; readonly error: CertificateError };

/** All blocks of the text, in their order. */
export function parsePem(text: string): Result<readonly PemBlock[], PemError> {
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly line: number; readonly base64: string[] } | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const begin = labelOf("BEGIN", line);
    if (open === undefined) {
      if (begin !== undefined) open = { label: begin, line: index + 1, base64: [] };
    } else if (begin !== undefined) {
      break;
    } else if (labelOf("END", line) === open.label) {
      const der = decodeBase64(open.base64.join(""));
      if (der === undefined) return err({ kind: "pem-bad-base64", label: open.label, line: open.line });
      blocks.push({ label: open.label, der });
      open = undefined;
    } else {
      open.base64.push(line);
    }
  }
  return open === undefined ? ok(blocks) : err({ kind: "pem-not-ended", label: open.label, line: open.line });
}

/** The file's certificates, at least one, in their order. */
export function parseCertificates(text: string): Result<readonly [Certificate, ...Certificate[]], PemError> {
  const blocks = parsePem(text);
  if (!blocks.ok) return blocks;
  const certificates: Certificate[] = [];
  for (const { label, der } of blocks.value) {
    if (label !== certificateLabel) continue;
    const parsed = parseCertificate(der);
    if (!parsed.ok) return err({ kind: "pem-bad-certificate", index: certificates.length, error: parsed.error });
    certificates.push(parsed.value);
  }
  const [first, ...rest] = certificates;
  return first === undefined ? err({ kind: "pem-missing", label: certificateLabel }) : ok([first, ...rest]);
}

/** Certificates one after the other, as TLS libraries take them: leaf first. */
export function encodeCertificates(ders: readonly Uint8Array[]): string {
  return ders.map((der) => encodePem(certificateLabel, der)).join("");
}

export function encodePem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `${[`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join("\n")}\n`;
}

function labelOf(edge: "BEGIN" | "END", line: string): string | undefined {
  const head = `-----${edge} `;
  const trimmed = line.trimEnd();
  return trimmed.startsWith(head) && trimmed.endsWith("-----") ? trimmed.slice(head.length, -5) : undefined;
}

function decodeBase64(text: string): Uint8Array | undefined {
  const compact = text.replace(/[ \t]/g, "");
  const bytes = Buffer.from(compact, "base64");
  return bytes.toString("base64") === compact ? bytes : undefined;
}

const certificateLabel = "CERTIFICATE";
