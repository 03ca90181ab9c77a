import { expect, test } from "vitest";
import { parseDaemonWords } from "../../src/cli/daemon_options.ts";

test("parseDaemonWords reads what fulmard serves with", () => {
  const words = parseDaemonWords(["--dbdir", "/db", "--grace", "3", "-v", "-v"]);
  expect(words).toMatchObject({ dbdir: "/db", tmpdir: "/run/fulmar", grace: 3, verbose: 2, cage: true });
  expect(words).not.toHaveProperty("work");
});

test.for([
  [["import-state", "file", "--dbdir", "/db"], { kind: "import-state", file: "file", replace: false }],
  [["--dbdir", "/db", "import-state", "--replace", "file"], { kind: "import-state", file: "file", replace: true }],
  [["export-state", "--dbdir", "/db", "file"], { kind: "export-state", file: "file" }],
] as const)("parseDaemonWords reads %j", ([words, work]) => {
  expect(parseDaemonWords([...words])).toMatchObject({ dbdir: "/db", work });
});
