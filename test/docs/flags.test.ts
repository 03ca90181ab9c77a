import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { say } from "../cli/terminal.ts";
import { temporaryFolder } from "../host/folder.ts";

const top = join(import.meta.dirname, "../..");
const pages = ["README.md", ...readdirSync(join(top, "docs")).map((file) => `docs/${file}`)];

/** Of other programs: cp, systemctl, albatross, our own trials and bench, and what is said to guests. */
const foreign = [
  ...["--sparse", "--now", "--allow-zvol-for", "--ipv"],
  ...["--minutes", "--seed", "--seconds", "--step", "--harm", "--lanes", "--out", "--table"],
];

/** The flags of a text, and of a completion script. */
function flagsIn(text: string): readonly string[] {
  return [...new Set(text.match(/(?<![\w-])--[a-z][a-z-]*/g))];
}

test.for(pages)("the flags that %s names are those of a program here", async (page) => {
  const { stdout } = await say(["completion", "bash"], temporaryFolder());
  const known = [...flagsIn(stdout), ...foreign];
  expect(known.length).toBeGreaterThan(60);
  expect(flagsIn(readFileSync(join(top, page), "utf8")).filter((flag) => !known.includes(flag))).toEqual([]);
});
