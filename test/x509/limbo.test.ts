import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { type Purpose, verifyPath } from "../../src/x509/path.ts";
import { parsePem } from "../../src/x509/pem.ts";
import { cpuTime } from "./cpu_time.ts";

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
  readonly reason: string;
  readonly ids: readonly string[];
  /** The purpose that it is for; absent: both. */
  readonly purpose?: Purpose;
}

/** Questions that verifyPath is not asked, and answers that albatross's certificates force. Each case by its whole name. */
const exceptions: readonly Exception[] = [
  {
    reason: "it looks for no host name: our clients know a server by its authority",
    ids: [
      ...["ipv4-hex", "ipv4-leading-zeros", "ipv6-uppercase", "ipv6-uncompressed", "ipv6-non-rfc5952"].map(
        (what) => `webpki::cn::${what}-mismatch`,
      ),
      "webpki::cn::utf8-vs-punycode-mismatch",
      "webpki::cn::punycode-not-in-san",
      "webpki::cn::not-in-san",
      "webpki::cn::case-mismatch",
      ...["domain", "subdomain", "subdomain-apex", "apex-subdomain"].map((what) => `webpki::san::mismatch-${what}-san`),
      "webpki::san::wildcard-match-across-labels-san",
      "webpki::san::no-san",
    ],
  },
  {
    reason: "it has no list of public suffixes",
    ids: [
      "webpki::san::public-suffix-wildcard-san",
      "webpki::san::public-suffix-multi-label-wildcard-san",
      "webpki::san::public-suffix-private-namespace-wildcard-san",
    ],
  },
  {
    reason: "it is given no revocation lists",
    ids: [
      "crl::revoked-certificate-with-crl",
      "crl::crlnumber-missing",
      "crl::crlnumber-critical",
      "crl::issuer-missing-crlsign",
    ],
  },
  {
    reason: "an authority says in a keyUsage that it may sign (RFC 5280 section 4.2.1.3)",
    ids: ["crl::issuer-no-keyusage-extension"],
  },
  {
    reason: "its greatest depth is fixed",
    ids: ["pathlen::max-chain-depth-0-exhausted", "pathlen::max-chain-depth-1-exhausted"],
  },
  {
    reason: "the path must be chosen from more certificates than it has",
    ids: [
      "cve::cve-2024-0567",
      "pathological::multiple-chains-expired-intermediate",
      "rfc5280::nc::nc-forbids-alternate-chain-ica",
      "rfc5280::nc::nc-forbids-same-chain-ica",
      "rfc5280::root-and-intermediate-swapped",
      "rfc5280::unknown-critical-extension-unrelated-intermediate",
    ],
  },
  {
    reason: "exchanging the purposes made the wrong one right",
    ids: ["rfc5280::eku::ee-wrong-eku"],
    purpose: "client",
  },
  {
    reason: "a leaf is no authority",
    ids: ["rfc5280::ca-as-leaf", "pathlen::validation-ignores-pathlen-in-leaf"],
  },
  {
    reason: "a server's leaf says that it is one",
    ids: [
      "rfc5280::eku::ee-without-eku",
      ...["exact", "domain", "literal-asterisk-exact-match", "literal-double-asterisk", "literal-mid-asterisk"].map(
        (what) => `rfc5280::nc::nc-permits-email-${what}`,
      ),
    ],
    purpose: "server",
  },
  {
    reason: "name constraints are critical, and rfc5280::nc::permitted-dns-match-noncritical says so",
    ids: ["webpki::nc::permitted-dns-match-noncritical"],
  },
  { reason: "albatross's self-signed root has no key identifiers", ids: ["rfc5280::ski::root-missing-ski"] },
  { reason: "albatross's extendedKeyUsage is critical", ids: ["webpki::eku::ee-critical-eku"] },
  {
    reason: "albatross's client leaf may be without, and rfc5280::eku::ee-without-eku says so",
    ids: ["webpki::eku::ee-without-eku"],
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
  const excused = new Map(
    exceptions
      .filter((it) => (it.purpose ?? purpose) === purpose)
      .flatMap(({ reason, ids }) => ids.map((id) => [id, reason])),
  );

  test.each(cases.filter(({ id }) => !excused.has(id)))("$id agrees", (limbo) => {
    expect(decide(limbo, purpose)).toBe(limbo.expected_result);
  });

  test.each([...excused])("%s is an exception that is needed: %s", (id) => {
    const limbo = cases.find((it) => it.id === id);
    expect(limbo?.expected_result).toMatch(/SUCCESS|FAILURE/);
    expect(limbo && decide(limbo, purpose)).not.toBe(limbo?.expected_result);
  });

  test.each(cases)("$id takes less than 50 ms", (limbo) => {
    expect(cpuTime(() => decide(limbo, purpose))).toBeLessThan(50);
  });
});
