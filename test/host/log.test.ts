import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createLog } from "../../src/host/log.ts";

test("reference bug 22: createLog hides guest arguments, keys and image bytes wherever they stand", () => {
  const stream = new PassThrough();
  const log = createLog("fulmard", 1, stream);
  log.info({
    arguments: ["--token=s3cret"],
    config: { settings: { arguments: ["s3cret"] }, image: "s3cret" },
    key: "s3cret",
    name: ":vm",
  });
  const line = String(stream.read());
  expect(line).not.toContain("s3cret");
  expect(JSON.parse(line)).toMatchObject({ name: ":vm", level: 30 });
});

test.for([
  [0, ["warn"]],
  [1, ["warn", "info"]],
  [2, ["warn", "info", "debug"]],
  [9, ["warn", "info", "debug", "trace"]],
] as const)("createLog with %j -v tells of %j", ([verbosity, levels]) => {
  const stream = new PassThrough();
  const log = createLog("fulmard", verbosity, stream);
  for (const level of ["warn", "info", "debug", "trace"] as const) log[level](level);
  const lines = String(stream.read()).trim().split("\n");
  expect(lines.map((line): unknown => JSON.parse(line)).map((line) => line)).toMatchObject(
    levels.map((msg) => ({ msg })),
  );
});
