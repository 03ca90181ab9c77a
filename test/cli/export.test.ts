import { createPrivateKey } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { beforeAll, expect, test } from "vitest";
import { type Said, say, temporaryFolder } from "./terminal.ts";

const folder = temporaryFolder();
const variable = (): string => "correct horse";

beforeAll(async () => {
  for (const line of [
    "generate ca db",
    "add-policy --csr alice 2 --bridge service",
    "sign cacert.pem db ca.key alice.req",
  ]) {
    await say(line.split(" "), folder);
  }
  writeFileSync(join(folder, "word"), "from a file\r\nmore\n");
});

const read = (file: string): Buffer => readFileSync(join(folder, file));
const run = (line: string, secrets?: Parameters<typeof say>[3]): Promise<Said> =>
  say(line.split(" "), folder, undefined, secrets);

/** A person that types these, one after the other. */
function typing(...words: readonly string[]): {
  askSecret: (question: string) => Promise<string | undefined>;
  questions: string[];
} {
  const questions: string[] = [];
  return { questions, askSecret: async (question) => words[questions.push(question) - 1] };
}

test("run export writes a key behind the passphrase of a file", async () => {
  expect(await run("export alice.key --passphrase-file word")).toEqual({ status: 0, stdout: "", stderr: "" });
  const key = createPrivateKey({ key: read("alice.p8"), passphrase: "from a file" });
  expect(key.equals(createPrivateKey(read("alice.key")))).toBe(true);
  expect(statSync(join(folder, "alice.p8")).mode & 0o777).toBe(0o400);
});

test("run export writes a bundle behind the passphrase of the environment", async () => {
  expect((await run("export alice.key alice.pem --with cacert.pem --with alice.pem", { variable })).status).toBe(0);
  const pfx = read("alice.p12");
  expect(() => createSecureContext({ pfx, passphrase: "correct horse" })).not.toThrow();
  for (const name of ["alice", "ca"]) expect(pfx.includes(name)).toBe(true);
  expect(statSync(join(folder, "alice.p12")).mode & 0o777).toBe(0o400);
});

test("run export asks for the passphrase twice", async () => {
  const person = typing("typed", "typed");
  expect((await run("export ca.key -o typed.p8", person)).status).toBe(0);
  expect(person.questions).toEqual(["new passphrase of the exported key", "the same again"]);
  expect(createPrivateKey({ key: read("typed.p8"), passphrase: "typed" }).type).toBe("private");
});

test("run opens an encrypted key with the passphrase of the environment, or asks for it", async () => {
  await run("export ca.key -o ca.locked --passphrase-file word");
  const line = "sign cacert.pem db ca.locked alice.req";
  const person = typing("from a file");
  expect(await run(line, person)).toMatchObject({ status: 0, stderr: "" });
  expect(person.questions).toEqual(["passphrase of ca.locked"]);
  expect(
    (await run(line, { variable: (name) => (name === "FULMAR_PASSPHRASE" ? "from a file" : undefined) })).status,
  ).toBe(0);
  expect(await run(line)).toEqual({
    status: 124,
    stdout: "",
    stderr:
      "error: ca.locked: the key is encrypted, and there is no terminal to ask for its passphrase\n" +
      "hint: put the passphrase in FULMAR_PASSPHRASE, or decrypt the key first (openssl pkey)\n",
  });
  const { status, stderr } = await run(line, typing("wrong"));
  expect([status, stderr]).toEqual([124, "error: ca.locked: the key is encrypted, and not with this passphrase\n"]);
});

test.for([
  ["export alice.key", [], 124, "no passphrase is given"],
  ["export alice.key", ["one", "other"], 124, "differ"],
  ["export alice.key", ["", ""], 124, "protects nothing"],
  ["export alice.key alice.pem", ["ä", "ä"], 124, "ASCII"],
  ["export alice.key cacert.pem", ["a", "a"], 116, "does not belong"],
  ["export alice.key --with cacert.pem", ["a", "a"], 124, "--with is for a bundle"],
  ["export alice.key --title x", ["a", "a"], 124, "--title is for a bundle"],
  ["export alice.key alice.pem --title \u{1f426}", ["a", "a"], 124, "plane"],
  ["export alice.key --passphrase-file nowhere", ["a", "a"], 124, "no such file"],
  ["export alice.key alice.pem --with nowhere", ["a", "a"], 124, "no such file"],
  ["export alice.key -o nowhere/x", ["a", "a"], 124, "no such file"],
  ["export alice.pem", ["a", "a"], 124, "PRIVATE KEY"],
  ["export", ["a", "a"], 124, "key"],
] as const)("run %s with %j typed ends with %d", async ([line, words, status, text]) => {
  const said = await run(line, typing(...words));
  expect(said.stderr).toContain(text);
  expect(said.status).toBe(status);
});
