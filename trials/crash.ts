/**
 * `npm run crash [-- --step NAME] [--harm KILL|EIO|ENOSPC] [--most N]`: every step of steps.ts,
 * interrupted at every changing system call, each time followed by a new daemon
 * that is compared with what was answered. Ends with a table.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { canInterrupt } from "./interruption.ts";
import { steps } from "./steps.ts";
import { printTable, type Row, tryStep } from "./trial.ts";

const top = join(import.meta.dirname, "..", "..");

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { step: { type: "string" }, harm: { type: "string" }, most: { type: "string" } },
  });
  const { step: only, harm, most = "200" } = values;
  const chosen = steps.filter(({ name }) => only === undefined || name === only);
  const harms = (["KILL", "EIO", "ENOSPC"] as const).filter((one) => harm === undefined || one === harm);
  if (chosen.length === 0 || harms.length === 0)
    return say(`no such step or harm: ${steps.map(({ name }) => name).join(" ")}`);
  if (!canInterrupt()) return say("strace cannot interrupt processes here");
  const rows: Row[] = [];
  for (const step of chosen) {
    for (const one of harms) rows.push(await tryStep(top, step, { harm: one, most: Number(most), report }));
  }
  process.stdout.write(printTable(rows));
  return rows.some(({ faults }) => faults.length > 0) ? 1 : 0;
}

function report(text: string): void {
  process.stderr.write(`${text}\n`);
}

function say(text: string): number {
  report(text);
  return 1;
}

/** In a network of our own, with the bridge that guests are put on. */
function enterNetwork(): number {
  const { status } = spawnSync("unshare", ["--net", "--", process.execPath, ...process.argv.slice(1)], {
    stdio: "inherit",
    env: { ...process.env, [inside]: "1" },
  });
  return status ?? 1;
}

const inside = "FULMAR_TRIAL_NETWORK";

if (process.env[inside] === undefined) {
  process.exitCode = enterNetwork();
} else {
  spawnSync("ip", ["-batch", "-"], { input: "link set lo up\nlink add service type bridge\nlink set service up\n" });
  process.exitCode = await main();
}
