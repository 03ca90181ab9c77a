/**
 * What can be wrong with DER, or with what it spells.
 *
 * @module
 */

export type DerProblem =
  | "truncated"
  | "length-not-minimal"
  | "length-indefinite"
  | "length-too-large"
  | "tag-unsupported"
  | "tag-unexpected"
  | "trailing-bytes"
  | "boolean-not-canonical"
  | "integer-not-minimal"
  | "integer-out-of-range"
  | "null-with-content"
  | "bit-string-padding"
  | "text-not-utf8"
  | "oid-malformed"
  | "time-malformed"
  | "time-out-of-range"
  | "set-not-sorted"
  | "too-deep"
  | "too-many-values"
  | "version-unknown"
  | "name-malformed"
  | "name-repeated"
  /** Well-formed DER that the schema has no place for. */
  | "value-refused";
