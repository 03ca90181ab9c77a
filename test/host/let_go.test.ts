import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const module = join(import.meta.dirname, "../../dist/src/host/let_go.js");

/** The most that buffers had at once, MB, in a process through which 400 MB go. */
function most(told: "letGo(piece.length)" | ""): number {
  const script = `
    import { letGo } from ${JSON.stringify(module)};
    let most = 0;
    for (let count = 0; count < 6400; count++) {
      const piece = Buffer.allocUnsafeSlow(64 * 1024);
      ${told};
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    console.log(most / 1024 / 1024);`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  return Number(stdout);
}

test("letGo keeps what passed through from piling up until V8 looks for it", () => {
  expect(most("letGo(piece.length)")).toBeLessThan(12);
  expect(most("")).toBeGreaterThan(20);
});
