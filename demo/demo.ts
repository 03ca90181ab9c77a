/**
 * The main job, end to end: the README's session on this machine, with the
 * tender that works here.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { matches, readSession, type Step } from "./session.ts";
import { findTender, installQemu } from "./tenders.ts";
import { World } from "./world.ts";

const top: string = join(import.meta.dirname, "..", "..");

async function demo(): Promise<number> {
  const images = join(top, "guest");
  const tender = findTender(images) ?? (installQemu(say) ? findTender(images) : undefined);
  if (tender === undefined) {
    say("no tender runs here: install qemu-system-x86 (apt-get install qemu-system-x86), or solo5-spt on PATH");
    return 1;
  }
  const world = await World.open(top, tender);
  // Whoever stops reading (`| head`) does not stop the cleaning up.
  process.stdout.on("error", () => undefined);
  for (const signal of ["SIGINT", "SIGTERM"])
    process.once(signal, () => void world.close().then(() => process.exit(1)));
  try {
    say(`tender: ${tender}${tender === "virtio" ? " (QEMU without KVM)" : ""}; ${user(world)}`);
    const network = world.hasBridge && tender !== "virtio" ? onBridge : [];
    return await play(world, [...readSession(readFileSync(join(top, "README.md"), "utf8")), ...network]);
  } finally {
    await world.close();
  }
}

/** @returns the exit code: 1 where something else was printed than the session says */
async function play(world: World, steps: readonly Step[]): Promise<number> {
  for (const step of steps) {
    say(`\n$ ${step.words.join(" ")}${step.background ? " &" : ""}`);
    const { printed } = await world.run(step);
    process.stdout.write(printed);
    if (step.background || matches(step, printed)) continue;
    say(`\nThis is not what the session says:\n${step.prints.join("\n")}`);
    return 1;
  }
  say("\nAlice, Bob and Charlie together never ran more than Alice's two unikernels.");
  return 0;
}

function user(world: World): string {
  if (process.geteuid?.() !== 0) return "as an ordinary user: no bridges, guests run as this user";
  return world.hasBridge ? "as root: bridges, and a user of its own for each guest" : "as root, without bridges";
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const alice = "-d 127.0.0.1 --ca alice.pem --ca-key alice.key";

/** What only root can show: a guest with a network device on a bridge. */
const onBridge: readonly Step[] = [
  step(`fulmar destroy ${alice} mine`, ["host [unikernel: alice:mine]: success: destroyed unikernel"]),
  step(`fulmar create ${alice} net hello_net.spt --net service`, [
    "host [unikernel: alice:net]: success: created unikernel",
  ]),
  step(`timeout 2 fulmar console ${alice} net`, ["host [unikernel: alice:net]: success: subscribed", "…"]),
  step("ip -brief link show master service", ["fulmar0 …"]),
];

function step(command: string, prints: readonly string[]): Step {
  return { words: command.split(" "), background: false, prints };
}

process.exitCode = await demo();
