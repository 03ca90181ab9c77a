/**
 * `npm run siege`: prints what was seen, and fails where the honest client was not served.
 *
 * @module
 */
import { besiege, type Seen } from "./siege.ts";

/** Of each kind. */
const most = 10_000;

const asked = Number(process.argv[2] ?? most);
if (!(Number.isInteger(asked) && asked >= 1 && asked <= most)) throw new Error(`a number from 1 to ${most} is wanted`);
const { seen, descriptors, megabytes } = await besiege({ raw: asked, tls: asked }, "bin", tell);
process.stdout.write(`descriptors of the endpoint: ${descriptors.join(" before, ")} after\n`);
process.stdout.write(`MB of the endpoint: ${megabytes.map((size) => size.toFixed(0)).join(" before, ")} after\n`);
if (seen.some(({ failed }) => failed > 0) || descriptors[1] > descriptors[0]) process.exitCode = 1;

function tell({ kind, count, seconds, served, failed, slowest }: Seen): void {
  const others = `honest: ${served} served, ${failed} not, slowest ${slowest.toFixed(0)} ms`;
  process.stdout.write(`${count} ${kind}: ${seconds.toFixed(1)} s; ${others}\n`);
}
