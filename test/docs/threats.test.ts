import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { createDaemonProgram } from "../../src/cli/daemon_options.ts";
import { createEndpointProgram } from "../../src/cli/endpoint_options.ts";
import { daemonLimits, endpointLimits } from "../../src/core/limits.ts";
import { say } from "../cli/terminal.ts";
import { temporaryFolder } from "../host/folder.ts";

const top = join(import.meta.dirname, "../..");
const text = readFileSync(join(top, "docs/threats.md"), "utf8");
const audit = readFileSync(join(top, "docs/audit.md"), "utf8");
const source = (file: string): string => readFileSync(join(top, file), "utf8");

/** What stands in backticks. */
const quoted = (from: string): readonly string[] => [...from.matchAll(/`([^`\n]+)`/g)].map(([, words = ""]) => words);

const files = [...new Set(text.match(/\b(?:src|docs|test|packaging)\/[\w./-]*\w/g))];

test("docs/threats.md names many files", () => {
  expect(files.length).toBeGreaterThan(25);
});

test.for(files)("the file %s of docs/threats.md is there", (file) => {
  expect(existsSync(join(top, file))).toBe(true);
});

const limits = [...text.matchAll(/^\| `(\w+)` \| ([\d,]+) \| (\S+) \|$/gm)].map(
  ([, name = "", value = "", file = ""]) => [name, Number(value.replaceAll(",", "")), file] as const,
);

test.for(limits)("the limit %s of docs/threats.md is %d in %s", ([name, value, file]) => {
  const written = new RegExp(`\\b${name}(?:: number)? = ([\\d_ *]+);`).exec(source(file))?.[1] ?? "0";
  const actual = written.split("*").reduce((product, factor) => product * Number(factor.replaceAll("_", "")), 1);
  expect(actual).toBe(value);
});

test("each limit that docs/threats.md names by its constant is among its limits, the others are in docs/limits.md", () => {
  const named = quoted(text).filter((word) => /^(max[A-Z]\w+|per[A-Z]\w+)$/.test(word));
  expect(named.filter((name) => !limits.some(([known]) => known === name))).toEqual([]);
  const movable = [...Object.keys(endpointLimits), ...Object.keys(daemonLimits)];
  for (const name of ["handshakes", "connections", "large-handshakes", "delegations", "rate", "watchers"]) {
    expect(quoted(text)).toContain(name);
    expect(movable).toContain(name);
  }
});

const servers: Readonly<Record<string, Command>> = {
  fulmard: createDaemonProgram(() => undefined),
  "fulmar-endpoint": createEndpointProgram(),
};

/** `fulmard --audit-size` and the like, and the words behind. */
const commands = [
  ...new Set([...quoted(text), ...quoted(audit)].filter((words) => /^fulmar(d|-endpoint)? [a-z-]/.test(words))),
];

test("docs/threats.md and docs/audit.md name commands", () => {
  expect(commands.length).toBeGreaterThan(10);
});

test.for(commands)("the command %s of the documents exists", async (words) => {
  const [program = "", ...rest] = words.split(" ");
  const flags = rest.filter((word) => word.startsWith("--"));
  const [subcommand] = rest.filter((word) => !word.startsWith("-"));
  const server = servers[program];
  if (server !== undefined) {
    const known = [server, ...server.commands].flatMap(({ options }) => options.map(({ long }) => long));
    expect(known).toEqual(expect.arrayContaining(flags));
    if (rest[0]?.startsWith("--") === false) expect(server.commands.map((one) => one.name())).toContain(subcommand);
    return;
  }
  const { status, stdout } = await say([subcommand ?? "", "--help"], temporaryFolder());
  expect(status).toBe(0);
  for (const flag of flags) expect(stdout).toContain(flag);
});
