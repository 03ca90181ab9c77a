import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isRoot } from "../host/folder.ts";

const script = join(import.meta.dirname, "../../dist/trials/soak.js");

test("a short soak ends with agreement", { timeout: 400_000 }, ({ skip }) => {
  const own = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--", "true"];
  if (!isRoot || spawnSync("unshare", own).status !== 0) skip("this process may not make namespaces");
  const seed = String(Date.now() % 1_000_000);
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, "--minutes", "0.25", "--seed", seed], {
    encoding: "utf8",
  });
  expect({ status, stderr, said: stdout.split("\n").slice(0, -1).pop() }, stdout).toEqual({
    status: 0,
    stderr: "",
    said: "what is and what must be agree",
  });
});
