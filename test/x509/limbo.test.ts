import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { type Purpose, verifyPath } from "../../src/x509/path.ts";
import { parsePem } from "../../src/x509/pem.ts";

/** The public x509-limbo suite lies beside the checkout where it is at hand; without it these tests are skipped. */
const folder = join(import.meta.dirname, "../../../shared/limbo");

interface Case {
  readonly id: string;
  readonly trusted_certs: readonly string[];
  readonly untrusted_intermediates: readonly string[];
  readonly peer_certificate: string;
  readonly validation_time: string | null;
  readonly expected_result: "SUCCESS" | "FAILURE";
}

interface Exception {
  readonly pattern: RegExp;
  readonly reason: string;
  /** The purpose that it is for; absent: both. */
  readonly purpose?: Purpose;
}

/** Questions that verifyPath is not asked. */
const outOfScope: readonly Exception[] = [
  { pattern: /^(rfc5280|webpki)::san::|^webpki::cn::/, reason: "host names, which nothing of ours has" },
  { pattern: /^crl::/, reason: "it is given no revocation lists" },
  { pattern: /^pathlen::max-chain-depth-/, reason: "its greatest depth is fixed" },
  {
    pattern: /multiple-chains|-swapped$|unrelated-intermediate$|alternate-chain-ica$|same-chain-ica$|2024-0567$/,
    reason: "the path must be chosen from more certificates than it has",
  },
  {
    pattern: /^rfc5280::eku::ee-wrong-eku$/,
    reason: "exchanging the purposes made the wrong one right",
    purpose: "client",
  },
];

/** Paths that may pass elsewhere and not here: we are stricter. */
const stricter: readonly Exception[] = [
  { pattern: /::nc::/, reason: "name constraints are not computed, so they refuse" },
  { pattern: /^rfc5280::ca-as-leaf$|pathlen-in-leaf$/, reason: "a leaf is no authority" },
  { pattern: /^rfc5280::eku::ee-without-eku$/, reason: "a server's leaf says that it is one", purpose: "server" },
];

/** What the Web PKI forbids and the certificates that albatross writes do. */
const profile: readonly Exception[] = [
  { pattern: /^rfc5280::ski::root-missing-ski$/, reason: "albatross's self-signed root has no key identifiers" },
  { pattern: /^webpki::eku::ee-critical-eku$/, reason: "albatross's extendedKeyUsage is critical" },
  {
    pattern: /^webpki::eku::ee-without-eku$/,
    reason: "a client's leaf may be without, and rfc5280::eku::ee-without-eku says so",
    purpose: "client",
  },
];

function read(pem: string): Certificate | undefined {
  const blocks = parsePem(pem);
  const certificate = blocks.ok && blocks.value[0] !== undefined ? parseCertificate(blocks.value[0].der) : undefined;
  return certificate?.ok === true ? certificate.value : undefined;
}

/** The suite gives intermediates in no order: up to three are tried in every order, and more as they stand. */
function orders<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2 || items.length > 3) return [items];
  return items.flatMap((item, at) => orders(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

function decide(limbo: Case, purpose: Purpose): Case["expected_result"] {
  const now = limbo.validation_time === null ? Date.now() : Date.parse(limbo.validation_time);
  const [leaf, ...intermediates] = [limbo.peer_certificate, ...limbo.untrusted_intermediates].map(read);
  const anchors = limbo.trusted_certs.map(read);
  const accepted = orders(intermediates).some((order) => {
    const presented = [leaf, ...order].filter((certificate) => certificate !== undefined);
    if (presented.length <= order.length) return false;
    return anchors.some((anchor) => anchor !== undefined && verifyPath(presented, anchor, now, purpose).ok);
  });
  return accepted ? "SUCCESS" : "FAILURE";
}

describe.skipIf(!existsSync(folder)).each<Purpose>(["client", "server"])("x509-limbo for a %s", (purpose) => {
  const file = join(folder, `limbo-${purpose}.json`);
  const cases: readonly Case[] = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).testcases : [];
  const excused = [...outOfScope, ...stricter, ...profile].filter((it) => (it.purpose ?? purpose) === purpose);
  const covers = (list: readonly Exception[], id: string) => list.some(({ pattern }) => pattern.test(id));

  test.each(cases)("$id is decided in under 50 ms", (limbo) => {
    const times: number[] = [];
    let decision: Case["expected_result"] = "FAILURE";
    // A machine may pause; three times in a row it does not.
    for (let round = 0; round < 3; round++) {
      const start = performance.now();
      decision = decide(limbo, purpose);
      times.push(performance.now() - start);
    }
    expect(Math.min(...times)).toBeLessThan(50);
    if (covers(excused, limbo.id)) return;
    expect(decision).toBe(limbo.expected_result);
  });

  test("where we are stricter, nothing is accepted that must fail", () => {
    const accepted = cases.filter(({ id }) => covers(stricter, id)).filter((it) => decide(it, purpose) === "SUCCESS");
    expect(accepted.filter((it) => it.expected_result === "FAILURE")).toEqual([]);
  });

  test.each(excused)("$pattern is an exception that is needed: $reason", ({ pattern }) => {
    const found = cases.filter(({ id }) => pattern.test(id));
    expect(found.some((limbo) => decide(limbo, purpose) !== limbo.expected_result)).toBe(true);
  });

  test("the score is what it was", () => {
    const agreed = cases.filter((limbo) => decide(limbo, purpose) === limbo.expected_result).length;
    const accepted = cases.filter((it) => it.expected_result === "FAILURE" && decide(it, purpose) === "SUCCESS");
    expect({ agreed, of: cases.length, accepted: accepted.filter(({ id }) => !covers(outOfScope, id)).length }).toEqual(
      {
        client: { agreed: 131, of: 193, accepted: 3 },
        server: { agreed: 132, of: 193, accepted: 2 },
      }[purpose],
    );
  });
});
