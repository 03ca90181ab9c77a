import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeDevelopment } from "../../certs/development.ts";
import { developmentFingerprint } from "../../src/x509/development.ts";
import { parseCertificates } from "../../src/x509/pem.ts";

const folder = join(import.meta.dirname, "../../certs");
const made = makeDevelopment();

test("the folder holds the made files and no others", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".pem") || name.endsWith(".key"));
  expect(new Set(files)).toEqual(new Set(made.keys()));
});

test.for([...made])("%s is made again byte for byte", ([name, text]) => {
  expect(readFileSync(join(folder, name), "utf8")).toBe(text);
});

test("developmentFingerprint is the root's", () => {
  const root = parseCertificates(made.get("cacert.pem") ?? "");
  expect(root.ok && Buffer.from(root.value[0].fingerprint).toString("hex")).toBe(developmentFingerprint);
});
