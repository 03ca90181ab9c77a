import { expect, test } from "vitest";
import type { DerProblem } from "../../src/codec/der_problem.ts";
import { decodeExtension, encodeExtension } from "../../src/codec/extension.ts";
import { decodeWire, encodeWire } from "../../src/codec/wire.ts";
import { printName } from "../../src/core/name.ts";
import { spell } from "./spell.ts";
import { expected, hex, readLines, unhex, type Vector } from "./vectors.ts";

const ext = readLines<Vector>("ext.jsonl");
const wire = readLines<Vector>("wire.jsonl");
const edge = readLines<Vector>("edge-wire.jsonl");
const fuzz = readLines<Vector>("fuzz-wire.jsonl");

interface Outcome {
  readonly der?: string;
  readonly problem?: DerProblem;
}

function throughExtension(der: string): Outcome {
  const decoded = decodeExtension(unhex(der));
  return decoded.ok ? { der: hex(encodeExtension(decoded.value)) } : { problem: decoded.error.problem };
}

function throughWire(der: string): Outcome {
  const decoded = decodeWire(unhex(der));
  return decoded.ok ? { der: hex(encodeWire(decoded.value)) } : { problem: decoded.error.error.problem };
}

/**
 * Every vector where we differ from albatross: in accepting it, or in what is written for it. The value is our problem with
 * it, or what we write. A difference that is listed and no longer there fails the test as one that is not listed does.
 */
function differences(vectors: readonly Vector[], through: (der: string) => Outcome): Record<string, string> {
  const found: Record<string, string> = {};
  for (const vector of vectors) {
    const { der, problem } = through(vector.der);
    if (der !== expected(vector)) found[vector.id] = problem ?? der ?? "";
  }
  return found;
}

/** The ids, all with one problem. */
function all(problem: DerProblem, ids: string): Record<string, DerProblem> {
  return Object.fromEntries(ids.split(" ").map((id) => [id, problem]));
}

test("decodeExtension and encodeExtension agree with albatross on every extension", () => {
  expect(differences(ext, throughExtension)).toEqual({
    // A negative count of lines is no count (reference-bugs 20).
    "console-sub-count-neg": "integer-out-of-range",
    // A negative amount makes room for others (reference-bugs 9).
    "policy-add-negative": "integer-out-of-range",
  });
});

test("decodeWire and encodeWire agree with albatross on every message", () => {
  expect(differences(wire, throughWire)).toEqual({
    // A negative count of lines is no count (reference-bugs 20).
    "cmd-console-sub-count-neg": "integer-out-of-range",
    // A negative amount makes room for others (reference-bugs 9): the policy itself, and in a listing.
    "cmd-policy-add-negative": "integer-out-of-range",
    "reply-success-policies": "integer-out-of-range",
  });
});

test("decodeWire agrees with albatross on the border cases", () => {
  expect(differences(edge, throughWire)).toEqual({
    // An Int64 has exactly 8 bytes: albatross ignores the ninth and never writes one (wire-format).
    "seq-9-bytes": "integer-out-of-range",
    // A negative count (reference-bugs 9).
    "int--2pow62": "integer-out-of-range",
    "policy-negative": "integer-out-of-range",
    // One form of a time, which is the one that albatross writes (wire-format).
    "gentime-no-Z": "time-malformed",
    "gentime-frac-2": "time-malformed",
    "gentime-frac-4": "time-malformed",
    "gentime-frac-6": "time-malformed",
    "gentime-no-seconds": "time-malformed",
    "gentime-hours-only": "time-malformed",
    // Seconds are 00 to 59 (wire-format).
    "gentime-leap-60": "time-out-of-range",
    // A SET OF is sorted (reference-bugs 26).
    "config-nets-unsorted": "set-not-sorted",
    "config-restart-codes-unsorted": "set-not-sorted",
  });
});

test("decodeWire agrees with albatross on the mutated messages", () => {
  expect(differences(fuzz, throughWire)).toEqual({
    // BOOLEANs other than 00 and FF (reference-bugs 26).
    ...all(
      "boolean-not-canonical",
      "fuzz-698 fuzz-2011 fuzz-2327 fuzz-2601 fuzz-2622 fuzz-2630 fuzz-3075 fuzz-3336 fuzz-3560 fuzz-3699 fuzz-3726 fuzz-3770 fuzz-3828",
    ),
    // A SET OF that is not sorted (reference-bugs 26).
    ...all("set-not-sorted", "fuzz-2980"),
    // Negative counts of lines (reference-bugs 20).
    ...all("integer-out-of-range", "fuzz-937 fuzz-1866 fuzz-2180 fuzz-3128 fuzz-3207"),
    // Negative amounts in policies and settings (reference-bugs 9).
    ...all("integer-out-of-range", "fuzz-383 fuzz-791 fuzz-924 fuzz-1617 fuzz-2823"),
    // A count beyond the safe integers that is not the one for "no limit" (reference-bugs 9).
    ...all("integer-out-of-range", "fuzz-878"),
  });
});

test.for(ext)("decodeExtension reads $id as albatross does", ({ der, verbose = "" }) => {
  const decoded = decodeExtension(unhex(der));
  if (!decoded.ok) return;
  expect(collapse(spell(decoded.value))).toBe(collapse(verbose));
});

test.for([...wire, ...edge].filter(({ name }) => name !== undefined))(
  "decodeWire reads the header, and a command, of $id as albatross does",
  ({ der, name = "", sequence, verbose = "" }) => {
    const decoded = decodeWire(unhex(der));
    if (!decoded.ok) return;
    const { header, payload } = decoded.value;
    expect(printName(header.name)).toBe(name);
    expect(BigInt.asUintN(64, header.sequence).toString()).toBe(sequence);
    if (payload.kind !== "command") return;
    expect(collapse(`host [unikernel: ${name}]: ${spell(payload.command)}`)).toBe(collapse(verbose));
  },
);

test.for(
  readLines<{ readonly file: string; readonly extensions: readonly { readonly der: string }[] }>("chains.jsonl"),
)("decodeExtension and encodeExtension agree on the certificates of $file", ({ extensions }) => {
  for (const { der } of extensions) expect(throughExtension(der)).toEqual({ der });
});

function collapse(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
