/**
 * zlib streams in memory, with a limit.
 *
 * @module
 */
import { deflateSync, inflateSync } from "node:zlib";
import { err, ok, type Result } from "../core/result.ts";

export type InflateError =
  | { readonly kind: "inflate-too-large"; readonly limit: number }
  | { readonly kind: "inflate-truncated" }
  /** Bytes after the end of the stream. */
  | { readonly kind: "inflate-trailing"; readonly length: number }
  | { readonly kind: "inflate-corrupt" };

/**
 * Inflates all of `bytes`, which must be one zlib stream (RFC 1950) and nothing else.
 *
 * @param limit - bytes of the largest result; no more than that is ever held
 */
export function inflate(bytes: Uint8Array, limit: number): Result<Uint8Array, InflateError> {
  try {
    // node:zlib takes no limit of 0; with `info` it also tells how much it has read, which its types do not know.
    const inflated: unknown = inflateSync(bytes, { maxOutputLength: Math.max(limit, 1), info: true });
    if (!isInflated(inflated)) return err({ kind: "inflate-corrupt" });
    const trailing = bytes.length - inflated.engine.bytesWritten;
    if (trailing > 0) return err({ kind: "inflate-trailing", length: trailing });
    return inflated.buffer.length > limit ? err({ kind: "inflate-too-large", limit }) : ok(inflated.buffer);
  } catch (thrown) {
    return err(inflateError(thrown, limit));
  }
}

/** @param level - 0 (stored) to 9 */
export function deflate(bytes: Uint8Array, level: number): Uint8Array {
  return deflateSync(bytes, { level });
}

interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

function isInflated(value: unknown): value is Inflated {
  return typeof value === "object" && value !== null && "buffer" in value && "engine" in value;
}

function inflateError(thrown: unknown, limit: number): InflateError {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (code === "ERR_BUFFER_TOO_LARGE") return { kind: "inflate-too-large", limit };
  return code === "Z_BUF_ERROR" ? { kind: "inflate-truncated" } : { kind: "inflate-corrupt" };
}
