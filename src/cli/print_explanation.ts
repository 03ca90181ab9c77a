/**
 * Explanations as lines, level by level, or as JSON.
 *
 * @module
 */
import { describePath, describePermissions } from "../core/describe.ts";
import { describeRoom, describeUnchecked, describeVerdict } from "../core/describe_explanation.ts";
import { type ExplainedLevel, type Explanation, roomIn } from "../core/explanation.ts";
import { type Name, type Path, printName, printPath } from "../core/name.ts";
import { type Policy, unlimited } from "../core/policy.ts";
import type { Resource } from "../core/refusal.ts";
import type { Environment } from "../host/client_environment.ts";
import { escapeSentence } from "./escape.ts";
import { failure } from "./failure.ts";
import { printHost, printPolicy, printTime } from "./print.ts";
import type { Outcome } from "./session.ts";

/** Says it; one that would be refused is a failure, for scripts. */
export async function sayExplanation(
  environment: Environment,
  name: Name,
  explanation: Explanation,
  json: boolean,
): Promise<Outcome> {
  const text = json ? printJson(name, explanation) : `${printHost(name)}: ${printExplanation(explanation)}`;
  await environment.stdout(text);
  if (explanation.refused === undefined) return undefined;
  return failure("refused", `${printHost(name)}: ${escapeSentence(describeVerdict(explanation))}`);
}

/** The verdict, what each level says, what would fit, and what was not looked at. */
function printExplanation(explanation: Explanation): string {
  const { levels, permissions, unchecked, refused } = explanation;
  const rooms = roomIn(levels).map(describeRoom);
  return [
    escapeSentence(describeVerdict(explanation)),
    ...levels.flatMap((level) => printLevel(level, refused?.path)),
    ...(permissions === undefined ? [] : [`this certificate: permits ${describePermissions(permissions)}`]),
    ...(rooms.length === 0 ? [] : [`what fits: ${rooms.join(", ")}`]),
    ...(unchecked.length === 0 ? [] : [`not checked: ${unchecked.map(describeUnchecked).join(", ")}`]),
    "",
  ].join("\n");
}

/** One value on one line: paths as text, times as of RFC 3339, digests hex, no limit as null. */
function printJson(name: Name, { levels, refused, ...rest }: Explanation): string {
  const value = {
    name: printName(name),
    ...rest,
    wouldBe: refused === undefined ? "done" : "refused",
    ...(refused === undefined ? {} : { refused: { ...refused, ...pathMember(refused.path) } }),
    levels: levels.map(({ certificate, policy, given, lockedBy, ...level }) => ({
      ...level,
      path: printPath(level.path),
      ...(certificate === undefined ? {} : { certificate: jsonCertificate(certificate) }),
      ...(policy === undefined ? {} : { policy }),
      ...(given === undefined ? {} : { given }),
      ...(lockedBy === undefined ? {} : { lockedBy: printPath(lockedBy) }),
    })),
    fits: roomIn(levels).map((room) => ({ ...room, path: printPath(room.path) })),
  };
  return `${JSON.stringify(value)}\n`;
}

function pathMember(path: Path | undefined): { readonly path?: string } {
  return path === undefined ? {} : { path: printPath(path) };
}

function jsonCertificate({ notBefore, notAfter, fingerprint }: NonNullable<ExplainedLevel["certificate"]>): object {
  return {
    notBefore: new Date(notBefore).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
    sha256: Buffer.from(fingerprint).toString("hex"),
  };
}

function printLevel(level: ExplainedLevel, refusing: Path | undefined): readonly string[] {
  const { path, certificate, policy, given, usage, permissions, lockedBy } = level;
  const refuses = refusing !== undefined && printPath(refusing) === printPath(path);
  const valid =
    certificate === undefined ? "" : ` valid ${printTime(certificate.notBefore)} to ${printTime(certificate.notAfter)}`;
  return [
    `${describePath(path)}:${valid}${refuses ? " (refuses)" : ""}`,
    ...(policy === undefined ? [] : [`  ${printPolicy(policy)}`]),
    ...(given === undefined ? [] : [`  its certificate says, and that is not in force: ${printPolicy(given)}`]),
    ...(policy === undefined || usage === undefined ? [] : resources.map((one) => printUse(one, policy, usage))),
    ...(permissions === undefined ? [] : [`  permits ${describePermissions(permissions)}`]),
    ...(lockedBy === undefined ? [] : [`  locked by ${describePath(lockedBy)}`]),
  ];
}

function printUse(resource: Resource, policy: Policy, { used, after }: NonNullable<ExplainedLevel["usage"]>): string {
  const limit = policy[resource] ?? 0;
  const allowed = limit === unlimited ? "any number" : `${limit}`;
  const over = after[resource] > limit ? `, ${after[resource] - limit} too many` : "";
  return `  ${units[resource]}: ${used[resource]} of ${allowed} used, ${after[resource]} after${over}`;
}

const resources = ["unikernels", "memory", "block"] as const;
const units: Readonly<Record<Resource, string>> = {
  unikernels: "unikernels",
  memory: "MB of memory",
  block: "MB of block storage",
};
