import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDaemonProgram, parseDaemonWords } from "../src/cli/daemon_options.ts";
import { createEndpointProgram, parseEndpointWords } from "../src/cli/endpoint_options.ts";
import {
  daemonLimits,
  endpointConflict,
  endpointLimits,
  type Limit,
  usualDaemonLimits,
  usualEndpointLimits,
} from "../src/core/limits.ts";
import { maxPath } from "../src/x509/path.ts";

const top = join(import.meta.dirname, "..");
const page = readFileSync(join(top, "docs/limits.md"), "utf8");

const tables: readonly (readonly [string, string, Readonly<Record<string, Limit>>])[] = [
  ["fulmar-endpoint", createEndpointProgram().helpInformation(), endpointLimits],
  ["fulmard", createDaemonProgram(() => undefined).helpInformation(), daemonLimits],
];

test.for(tables)(
  "docs/limits.md has each limit of %s, with its usual value and its reason, and no other",
  ([program, , table]) => {
    const part = page.split(/^## /m).find((text) => text.startsWith(`${program}\n`)) ?? "";
    const rows = Object.entries(table).map(([name, { usual, unit, least, most, about, reason }]) => {
      return `| \`${name}\` | ${usual}${unit === "" ? "" : ` ${unit}`} | ${least} to ${most} | ${about} | ${reason} |`;
    });
    expect(part.split("\n").filter((line) => line.startsWith("| `"))).toEqual(rows);
  },
);

test.for(tables)("every usual value of %s is within its bounds, every name can be written", ([, , table]) => {
  for (const [name, { usual, least, most }] of Object.entries(table)) {
    expect(usual).toBeGreaterThanOrEqual(least);
    expect(usual).toBeLessThanOrEqual(most);
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  }
});

test("a path's certificates, with the anchor, are among those that are looked at", () => {
  expect(endpointLimits.certificates.least).toBe(maxPath + 1);
});

test("README.md leads to docs/limits.md", () => {
  expect(readFileSync(join(top, "README.md"), "utf8")).toContain("(docs/limits.md)");
});

test.for(tables)("the help of %s names the flag for its limits", ([, help]) => {
  expect(help).toContain("--limit <name=value>");
});

test("--limit sets one limit each time, and leaves the others", () => {
  const words = parseDaemonWords(["--limit", "rate=5", "--limit", "delegations=8", "--limit", "rate=6"]);
  expect(words.limit).toEqual({ ...usualDaemonLimits, rate: 6, delegations: 8 });
  expect(parseDaemonWords([]).limit).toEqual(usualDaemonLimits);
  expect(parseEndpointWords(["a", "b", "c", "--limit", "handshake=3"]).limit.handshake).toBe(3);
});

test("large certificates are at least twice what others may be", () => {
  const usual = usualEndpointLimits;
  expect(endpointConflict(usual)).toBeUndefined();
  expect(endpointConflict({ ...usual, "certificate-bytes": 200_000, "large-certificate-bytes": 300_000 })).toBe(
    "large-certificate-bytes is 300000, and must be at least twice certificate-bytes, which is 200000",
  );
});

test.for(["rate", "rate=", "rate=0", "rate=1e3", "rates=5", "handshake=5", "memories=99999999"])(
  "--limit %s is refused",
  (text) => {
    const program = createDaemonProgram(() => undefined)
      .exitOverride()
      .configureOutput({ writeErr: () => undefined });
    expect(() => program.parse(["--limit", text], { from: "user" })).toThrow(/limit/);
  },
);
