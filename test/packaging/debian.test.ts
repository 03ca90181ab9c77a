import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { version } from "../../src/core/version.ts";

const top = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "fulmar-deb-"));
const root = join(folder, "root");
const missing = reasonToSkip();

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function reasonToSkip(): string | undefined {
  if (spawnSync("dpkg-deb", ["--version"]).status !== 0) return "dpkg-deb is not here";
  return existsSync(join(top, "dist/bin/fulmar.js")) ? undefined : "nothing is built: npm run build";
}

function run(program: string, ...words: readonly string[]): string {
  return execFileSync(program, words, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
}

/** Builds the package once, with the words of `environment`, and unpacks it. */
function build(environment: Readonly<Record<string, string>>): string {
  const { stderr, status } = spawnSync(join(top, "packaging/debian.sh"), [folder], {
    encoding: "utf8",
    env: { ...process.env, FULMAR_COMPRESSION: "none", ...environment },
  });
  expect([status, stderr]).toEqual([0, expect.anything()]);
  return join(folder, readdirSync(folder).find((file) => file.endsWith(".deb")) ?? "");
}

test("debian.sh builds a package that runs where it is unpacked", ({ skip }) => {
  if (missing !== undefined) return skip(missing);
  const deb = build({});
  expect(deb).toMatch(`/fulmar_${version}-1_`);
  run("dpkg-deb", "--extract", deb, root);
  const fields = run("dpkg-deb", "--field", deb, "Depends", "Version");
  expect(fields).toMatch(/^Depends: libc6 \(>= 2\.\d+\), libstdc\+\+6, iproute2, mount, passwd$/m);
  expect(fields).toMatch(`Version: ${version}-1\n`);
  const programs = ["fulmar", "fulmard", "fulmar-endpoint"];
  for (const program of programs) {
    const words = [join(root, `usr/lib/fulmar/dist/bin/${program}.js`), "--version"];
    expect(run(join(root, "usr/lib/fulmar/node"), ...words)).toBe(`${version}\n`);
    expect(readFileSync(join(root, "usr/bin", program), "utf8")).toContain(`/usr/lib/fulmar/dist/bin/${program}.js`);
  }
  const bundle = run("dpkg-deb", "--contents", deb).split("\n");
  expect(bundle.filter((line) => line !== "" && !line.includes(" root/root "))).toEqual([]);
  expect(statSync(join(root, "etc/fulmar")).mode & 0o777).toBe(0o750);
}, 120_000);

test("the package holds units, users, folders, manual pages, completion, and no tool of ours", ({ skip }) => {
  if (missing !== undefined) return skip(missing);
  for (const file of [
    ...["fulmard.service", "fulmar-endpoint.service", "fulmar-endpoint.socket"].map(
      (unit) => `lib/systemd/system/${unit}`,
    ),
    "lib/sysusers.d/fulmar.conf",
    "lib/tmpfiles.d/fulmar.conf",
    "share/man/man1/fulmar-create.1.gz",
    "share/man/man8/fulmard.8.gz",
    "share/bash-completion/completions/fulmar",
    "share/zsh/vendor-completions/_fulmar",
    "share/doc/fulmar/copyright",
  ]) {
    expect(lstatSync(join(root, "usr", file)).size).toBeGreaterThan(0);
  }
  const modules = readdirSync(join(root, "usr/lib/fulmar/node_modules"));
  expect(modules).toEqual(expect.arrayContaining(["commander", "lmdb", "pkijs", "asn1js", "pino", "node-forge"]));
  for (const tool of ["typescript", "vitest", "@biomejs", "knip"]) expect(modules).not.toContain(tool);
  expect(spawnSync("grep", ["-rlIF", `${top}/`, root], { encoding: "utf8" }).stdout).toBe("");
}, 60_000);

test("the package's scripts are shell that parses", ({ skip }) => {
  if (missing !== undefined) return skip(missing);
  for (const script of ["postinst", "prerm", "postrm", "wrapper.sh"]) {
    expect(spawnSync("sh", ["-n", join(top, "packaging/debian", script)], { encoding: "utf8" }).stderr).toBe("");
  }
});

test("debian.sh leaves Node.js to the distribution where it is asked to", ({ skip }) => {
  if (missing !== undefined) return skip(missing);
  const deb = build({ FULMAR_NODE: "system" });
  expect(run("dpkg-deb", "--field", deb, "Depends")).toContain("nodejs (>= 20.19)");
  expect(run("dpkg-deb", "--contents", deb)).not.toMatch(/ \.\/usr\/lib\/fulmar\/node$/m);
}, 120_000);
