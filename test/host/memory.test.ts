import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const module = join(import.meta.dirname, "../../dist/src/host/memory.js");

/** MB of JavaScript in use some seconds after a process made much garbage that V8 takes for long-lived. */
function left(seen: string): number {
  const script = `
    import { Ebb } from ${JSON.stringify(module)};
    const ebb = new Ebb();
    const used = () => process.memoryUsage().heapUsed / 1024 / 1024;
    let held = [];
    for (let count = 0; count < 600_000; count++) held.push({ count, text: "x" + count });
    if (used() < 40) throw new Error("too little to find");
    held = undefined;
    ${seen}
    const end = performance.now() + 6000;
    while (performance.now() < end && used() > 20) await new Promise((resolve) => setTimeout(resolve, 100));
    console.log(used());
    process.exit();`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  return Number(stdout);
}

test("Ebb has the garbage looked after that a crowd left, and of less than a crowd nothing", () => {
  expect(left("ebb.count(200); ebb.count(0);")).toBeLessThan(20);
  expect(left("ebb.count(99); ebb.count(0);")).toBeGreaterThan(30);
}, 30_000);
