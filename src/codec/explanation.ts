/**
 * Explanations on the wire: ours, tag 17 of Success.
 *
 *     Explanation ::= SEQUENCE { command UTF8String, levels SEQUENCE OF Level, unchecked SEQUENCE OF UTF8String,
 *       refused [0] SEQUENCE { kind UTF8String, text UTF8String, path [0] Path OPTIONAL } OPTIONAL,
 *       permissions [1] Permissions OPTIONAL }
 *     Level ::= SEQUENCE { path Path,
 *       certificate [0] SEQUENCE { notBefore GeneralizedTime, notAfter GeneralizedTime, sha256 OCTET STRING } OPTIONAL,
 *       policy [1] Policy OPTIONAL, given [2] Policy OPTIONAL,
 *       usage [3] SEQUENCE { used Usage, after Usage } OPTIONAL,
 *       permissions [4] Permissions OPTIONAL, lockedBy [5] Path OPTIONAL }
 *     Usage ::= SEQUENCE { unikernels Int, memory Int, block Int }
 *     Path ::= SEQUENCE OF UTF8String
 *
 * @module
 */
import {
  type ExplainedLevel,
  type Explanation,
  type Refused,
  type Unchecked,
  uncheckable,
} from "../core/explanation.ts";
import { maxDepth, type Path } from "../core/name.ts";
import type { Usage } from "../core/trie.ts";
import type { Reader } from "./der.ts";
import { type Der, integer, octets, optionalExplicit, sequence, sequenceOf, text } from "./der_writer.ts";
import { readLabel } from "./name.ts";
import { readNatural } from "./number.ts";
import { readPermissions, writePermissions } from "./permission.ts";
import { readPolicy, writePolicy } from "./policy.ts";
import { readGeneralizedTime, writeGeneralizedTime } from "./time.ts";

export function readExplanation(reader: Reader): Explanation {
  return reader.sequence((inside) => {
    const command = inside.text();
    const levels = inside.sequenceOf(readLevel);
    if (levels.length > maxDepth + 1) inside.fail("value-refused");
    const unchecked = inside.sequenceOf(readUnchecked);
    const refused = inside.optionalExplicit(0, readRefused);
    const permissions = inside.optionalExplicit(1, readPermissions);
    return {
      command,
      levels,
      unchecked,
      ...(refused === undefined ? {} : { refused }),
      ...(permissions === undefined ? {} : { permissions }),
    };
  });
}

export function writeExplanation({ command, levels, unchecked, refused, permissions }: Explanation): Der {
  return sequence(
    text(command),
    sequenceOf(levels, writeLevel),
    sequenceOf(unchecked, text),
    optionalExplicit(0, refused, writeRefused),
    optionalExplicit(1, permissions, writePermissions),
  );
}

function readRefused(reader: Reader): Refused {
  return reader.sequence((inside) => {
    const refused = { kind: inside.text(), text: inside.text() };
    const path = inside.optionalExplicit(0, readPath);
    return path === undefined ? refused : { ...refused, path };
  });
}

function writeRefused({ kind, text: words, path }: Refused): Der {
  return sequence(text(kind), text(words), optionalExplicit(0, path, writePath));
}

function readUnchecked(reader: Reader): Unchecked {
  const name = reader.utf8();
  return uncheckable.find((known) => known === name) ?? reader.fail("value-refused");
}

function readLevel(reader: Reader): ExplainedLevel {
  return reader.sequence((inside) => {
    const path = readPath(inside);
    const certificate = inside.optionalExplicit(0, readCertificate);
    const policy = inside.optionalExplicit(1, readPolicy);
    const given = inside.optionalExplicit(2, readPolicy);
    const usage = inside.optionalExplicit(3, readBoth);
    const permissions = inside.optionalExplicit(4, readPermissions);
    const lockedBy = inside.optionalExplicit(5, readPath);
    return {
      path,
      ...(certificate === undefined ? {} : { certificate }),
      ...(policy === undefined ? {} : { policy }),
      ...(given === undefined ? {} : { given }),
      ...(usage === undefined ? {} : { usage }),
      ...(permissions === undefined ? {} : { permissions }),
      ...(lockedBy === undefined ? {} : { lockedBy }),
    };
  });
}

function writeLevel(level: ExplainedLevel): Der {
  return sequence(
    writePath(level.path),
    optionalExplicit(0, level.certificate, writeCertificate),
    optionalExplicit(1, level.policy, writePolicy),
    optionalExplicit(2, level.given, writePolicy),
    optionalExplicit(3, level.usage, ({ used, after }) => sequence(writeUsage(used), writeUsage(after))),
    optionalExplicit(4, level.permissions, writePermissions),
    optionalExplicit(5, level.lockedBy, writePath),
  );
}

type Validity = NonNullable<ExplainedLevel["certificate"]>;

function readCertificate(reader: Reader): Validity {
  return reader.sequence((inside) => ({
    notBefore: readGeneralizedTime(inside),
    notAfter: readGeneralizedTime(inside),
    fingerprint: inside.octets(),
  }));
}

function writeCertificate({ notBefore, notAfter, fingerprint }: Validity): Der {
  return sequence(writeGeneralizedTime(notBefore), writeGeneralizedTime(notAfter), octets(fingerprint));
}

function readBoth(reader: Reader): NonNullable<ExplainedLevel["usage"]> {
  return reader.sequence((inside) => ({ used: readUsage(inside), after: readUsage(inside) }));
}

function readUsage(reader: Reader): Usage {
  return reader.sequence((inside) => ({
    unikernels: readNatural(inside),
    memory: readNatural(inside),
    block: readNatural(inside),
  }));
}

function writeUsage({ unikernels, memory, block }: Usage): Der {
  return sequence(integer(unikernels), integer(memory), integer(block));
}

function readPath(reader: Reader): Path {
  const path = reader.sequenceOf(readLabel);
  return path.length <= maxDepth ? path : reader.fail("value-refused");
}

function writePath(path: Path): Der {
  return sequenceOf(path, text);
}
