/**
 * The English of bytes that are not what they should be.
 *
 * @module
 */
import type { DerError } from "../codec/der.ts";

/** `length not minimal at byte 3` */
export function describeDer({ problem, at }: DerError): string {
  return `${problem.replaceAll("-", " ")} at byte ${at}`;
}
