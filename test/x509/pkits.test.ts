import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Certificate, parseCertificate, sameBytes } from "../../src/x509/certificate.ts";
import { verifyPath } from "../../src/x509/path.ts";
import { cpuTime } from "./cpu_time.ts";

/**
 * NIST's PKI test suite (PKITS 1.0.1), as Debian's package python3-cryptography-vectors has it; without that these tests
 * are skipped. A case is called by its leaf, whose name begins with what is expected, or is listed below.
 */
const folder = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data/certs";

/** Cases whose leaves are not called Valid or Invalid, and must fail whatever policies are asked for. */
const mustFail: ReadonlySet<string> = new Set([4, 5, 7, 8, 9, 12].map((number) => `DifferentPoliciesTest${number}`));

interface Exception {
  readonly reason: string;
  readonly ids: readonly string[];
}

/** What verifyPath is not asked: it is given no revocation lists. All but these must fail, and do. */
const accepted: Exception = {
  reason: "revocation is asked about a path that has been found",
  ids: [
    "InvalidBadCRLIssuerNameTest5",
    "InvalidBadCRLSignatureTest4",
    "InvalidBasicSelfIssuedCRLSigningKeyTest7",
    "InvalidBasicSelfIssuedNewWithOldTest5",
    "InvalidBasicSelfIssuedOldWithNewTest2",
    "InvalidIDPwithindirectCRLTest23",
    "InvalidIDPwithindirectCRLTest26",
    "InvalidLongSerialNumberTest18",
    "InvalidMissingCRLTest1",
    "InvalidOldCRLnextUpdateTest11",
    "InvalidRevokedCATest2",
    "InvalidRevokedEETest3",
    "InvalidSeparateCertificateandCRLKeysTest20",
    "InvalidSeparateCertificateandCRLKeysTest21",
    "InvalidUnknownCRLEntryExtensionTest8",
    "InvalidUnknownCRLExtensionTest10",
    "InvalidUnknownCRLExtensionTest9",
    "InvalidWrongCRLTest6",
    "InvalidcRLIssuerTest27",
    "InvalidcRLIssuerTest31",
    "InvalidcRLIssuerTest32",
    "InvalidcRLIssuerTest34",
    "InvalidcRLIssuerTest35",
    "InvaliddeltaCRLIndicatorNoBaseTest1",
    "InvaliddeltaCRLTest10",
    "InvaliddeltaCRLTest3",
    "InvaliddeltaCRLTest4",
    "InvaliddeltaCRLTest6",
    "InvaliddeltaCRLTest9",
    "InvaliddistributionPointTest2",
    "InvaliddistributionPointTest3",
    "InvaliddistributionPointTest6",
    "InvaliddistributionPointTest8",
    "InvaliddistributionPointTest9",
    "InvalidkeyUsageCriticalcRLSignFalseTest4",
    "InvalidkeyUsageNotCriticalcRLSignFalseTest5",
    "InvalidonlyContainsAttributeCertsTest14",
    "InvalidonlyContainsCACertsTest12",
    "InvalidonlySomeReasonsTest15",
    "InvalidonlySomeReasonsTest16",
    "InvalidonlySomeReasonsTest17",
    "InvalidonlySomeReasonsTest20",
    "InvalidonlySomeReasonsTest21",
    "Invalidpre2000CRLnextUpdateTest12",
  ],
};

/** Where it refuses more than it must. */
const refused: readonly Exception[] = [
  {
    reason: "a path that depends on policies or their mappings is refused, as they are not computed",
    ids: [
      "AllCertificatesSamePoliciesTest10",
      "AllCertificatesSamePoliciesTest13",
      "AllCertificatesanyPolicyTest11",
      "AnyPolicyTest14",
      "OverlappingPoliciesTest6",
      "UserNoticeQualifierTest18",
      "ValidPolicyMappingTest1",
      "ValidPolicyMappingTest11",
      "ValidPolicyMappingTest12",
      "ValidPolicyMappingTest13",
      "ValidPolicyMappingTest14",
      "ValidPolicyMappingTest3",
      "ValidPolicyMappingTest5",
      "ValidPolicyMappingTest6",
      "ValidPolicyMappingTest9",
      "ValidSelfIssuedinhibitAnyPolicyTest7",
      "ValidSelfIssuedinhibitAnyPolicyTest9",
      "ValidSelfIssuedinhibitPolicyMappingTest7",
      "ValidSelfIssuedrequireExplicitPolicyTest6",
      "ValidinhibitAnyPolicyTest2",
      "ValidinhibitPolicyMappingTest2",
      "ValidinhibitPolicyMappingTest4",
      "ValidrequireExplicitPolicyTest1",
      "ValidrequireExplicitPolicyTest2",
      "ValidrequireExplicitPolicyTest4",
      "inhibitAnyPolicyTest3",
    ],
  },
  {
    reason: "a signed and its signer are compared by the bytes of their names",
    ids: [
      "ValidNameChainingCapitalizationTest5",
      "ValidNameChainingWhitespaceTest3",
      "ValidNameChainingWhitespaceTest4",
      "ValidRolloverfromPrintableStringtoUTF8StringTest10",
      "ValidUTF8StringCaseInsensitiveMatchTest11",
    ],
  },
  {
    reason: "a leaf is no authority",
    ids: ["ValidonlyContainsCACertsTest13", "ValidpathLenConstraintTest14", "ValidpathLenConstraintTest8"],
  },
  { reason: "DSA is not supported", ids: ["ValidDSAParameterInheritanceTest5", "ValidDSASignaturesTest4"] },
  {
    reason: "an authority's basicConstraints are critical (RFC 5280 section 4.2.1.9)",
    ids: ["ValidbasicConstraintsNotCriticalTest4"],
  },
  {
    reason: "times before 2050 are UTCTime (RFC 5280 section 4.1.2.5)",
    ids: ["ValidGeneralizedTimenotBeforeDateTest4"],
  },
  { reason: "unique identifiers are forbidden (RFC 5280 section 4.1.2.8)", ids: ["ValidNameUIDsTest6"] },
];

/** When everything in the suite is valid that is meant to be. */
const time = Date.UTC(2026, 0);

const files = existsSync(folder) ? readdirSync(folder) : [];
const ids = files.filter((file) => file.endsWith("EE.crt")).map((file) => file.slice(0, -"EE.crt".length));
const authorities = files
  .filter((file) => !file.endsWith("EE.crt"))
  .map(read)
  .filter((certificate) => certificate !== undefined);

function read(file: string): Certificate | undefined {
  const parsed = parseCertificate(readFileSync(join(folder, file)));
  return parsed.ok ? parsed.value : undefined;
}

/** Every list of certificates that leads from the last of `path` to the anchor, by names. */
function pathsFrom(path: readonly Certificate[], anchor: Certificate): readonly (readonly Certificate[])[] {
  const last = path.at(-1);
  if (last === undefined || path.length > 8) return [];
  const longer = authorities
    .filter((next) => next !== anchor && !path.includes(next) && sameBytes(last.issuer.bytes, next.subject.bytes))
    .flatMap((next) => pathsFrom([...path, next], anchor));
  return sameBytes(last.issuer.bytes, anchor.subject.bytes) ? [path, ...longer] : longer;
}

/** Whether any path is accepted: the worst that a client can make of the certificates. */
function accepts(id: string, anchor: Certificate): boolean {
  const leaf = read(`${id}EE.crt`);
  const paths = leaf === undefined ? [] : pathsFrom([leaf], anchor);
  return paths.some((path) => verifyPath(path, anchor, time, "client").ok);
}

describe.skipIf(files.length === 0)("PKITS", () => {
  const anchor = read("TrustAnchorRootCertificate.crt") ?? authorities[0];
  const excused = new Map([accepted, ...refused].flatMap(({ reason, ids: some }) => some.map((id) => [id, reason])));
  const expected = (id: string) => !id.startsWith("Invalid") && !mustFail.has(id);
  const decide = (id: string) => anchor !== undefined && accepts(id, anchor);

  test.each(ids.filter((id) => !excused.has(id)))("%s agrees, and takes less than 50 ms", (id) => {
    expect(decide(id)).toBe(expected(id));
    expect(cpuTime(() => decide(id))).toBeLessThan(50);
  });

  test.each([...excused])("%s is an exception that is needed: %s", (id) => {
    expect(ids).toContain(id);
    expect(decide(id)).toBe(!expected(id));
  });
});
