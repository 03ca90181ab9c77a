/**
 * `npm run siege`: prints what was seen, and fails where the honest client was not served.
 *
 *     npm run siege [-- PART… COUNT]      raw, tls, tenant, or all of them; of each kind 10,000 at most, and without a number
 *
 * @module
 */
import { type Account, errands } from "./honest.ts";
import { besiege, type Counts, type Held, parts, type Seen } from "./siege.ts";

/** Of each kind. */
const most = 10_000;

/** Milliseconds, and some: memory is trimmed once more after a minute. */
const minute = 75_000;

const counts = readWords(process.argv.slice(2));
const { seen, before, after } = await besiege(counts, { programs: "bin", rest: minute, tell });
say(`before: ${describeHeld(before)}`);
say(`after: ${describeHeld(after)}`);
const failed = seen.some(({ accounts }) => Object.values(accounts).some(({ failures }) => failures.length > 0));
if (failed || after.descriptors.some((count, at) => count > (before.descriptors[at] ?? 0))) process.exitCode = 1;

function readWords(words: readonly string[]): Counts {
  const chosen = words.filter((word) => word in parts);
  const [number = `${most}`, ...others] = words.filter((word) => !(word in parts));
  const count = Number(number);
  if (others.length > 0 || !(Number.isInteger(count) && count >= 1 && count <= most)) {
    throw new Error(`${Object.keys(parts).join(", ")} and a number from 1 to ${most} are understood`);
  }
  return Object.fromEntries((chosen.length > 0 ? chosen : Object.keys(parts)).map((part) => [part, count]));
}

function tell({ kind, count, seconds, accounts, held }: Seen): void {
  say(`${count} ${kind}: ${seconds.toFixed(1)} s; ${describeHeld(held)}`);
  for (const errand of errands) say(`    ${errand}: ${describeAccount(accounts[errand])}`);
}

function describeAccount({ milliseconds, failures }: Account): string {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0);
  const times = `p50 ${at(0.5)}, p99 ${at(0.99)}, slowest ${at(1)} ms`;
  const reasons = [...new Set(failures)].map(
    (reason) => `${failures.filter((one) => one === reason).length}: ${reason}`,
  );
  return [`${sorted.length} served, ${failures.length} not; ${times}`, ...reasons].join("\n        ");
}

function describeHeld({ descriptors, megabytes }: Held): string {
  const of = (at: 0 | 1): string => `${descriptors[at]} descriptors, ${megabytes[at].toFixed(0)} MB`;
  return `endpoint ${of(0)}; daemon ${of(1)}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
