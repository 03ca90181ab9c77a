/**
 * The English of revocation lists: why one cannot be read, or is nobody's. One sentence each, no full stop.
 *
 * @module
 */
import { describeDer } from "../codec/describe.ts";
import { unreachable } from "../core/result.ts";
import type { CrlError, CrlOriginError } from "./crl.ts";

export function describeCrlError(error: CrlError): string {
  switch (error.kind) {
    case "der":
      return describeDer(error);
    case "crl-too-large":
      return `it has ${error.length} bytes, at most ${error.limit} are allowed`;
    case "crl-too-many-entries":
      return `it has ${error.count} entries, at most ${error.limit} are allowed`;
    case "version":
      return `it has version ${error.version}, only version 2 is accepted`;
    case "algorithms-differ":
      return "it names two different signature algorithms";
    case "next-update-missing":
      return "it does not say when the next one is there";
    case "next-update-early":
      return `its next update, ${time(error.nextUpdate)}, is not after its own time, ${time(error.thisUpdate)}`;
    case "crl-number-missing":
      return "it has no number";
    case "crl-partial":
      return `it is not a whole list of its authority's certificates (extension ${error.oid})`;
    case "extension-repeated":
      return `the extension ${error.oid} is in it twice`;
    case "extension-unhandled":
      return `it has the critical extension ${error.oid}, which cannot be honoured`;
    case "serial-repeated":
      return `the serial number ${error.serial} is in it twice`;
    default:
      return unreachable(error);
  }
}

export function describeCrlOrigin(error: CrlOriginError): string {
  switch (error.kind) {
    case "crl-issuer-differs":
      return "it is of another authority";
    case "crl-not-for-issuer":
      return "the authority's certificate does not let it sign revocation lists";
    case "algorithm-unsupported":
      return "it is signed with an algorithm that is not supported";
    case "signature-wrong":
      return "its signature is not by the authority";
    default:
      return unreachable(error);
  }
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
