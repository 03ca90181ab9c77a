/**
 * `npm run crash [-- --step NAME]… [--harm HARM]… [--most N] [--lanes N] [--out FILE] [--table FILE]`: every step of
 * steps.ts, interrupted before each change that it makes, each time followed by
 * a new daemon that is compared with what was answered. Ends with a table.
 *
 * What stands in the file of results is not tried again.
 *
 * @module
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findDiskHindrance } from "./disk.ts";
import { findHindrance, harms } from "./interruption.ts";
import { Network } from "./network.ts";
import type { Ground } from "./place.ts";
import { putBetween, Results, type Row } from "./results.ts";
import { type Step, steps } from "./steps.ts";
import { type Expected, interrupt, rehearse } from "./trial.ts";

const top = join(import.meta.dirname, "..", "..");

interface Run {
  readonly results: Results;
  /** Interruptions of a row, at most. */
  readonly most: number;
  readonly rehearsed: Map<string, Promise<Expected>>;
  /** Aborted: what is being tried is tried to its end, and nothing more. */
  readonly end: AbortSignal;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      step: { type: "string", multiple: true },
      harm: { type: "string", multiple: true },
      most: { type: "string", default: "10000" },
      lanes: { type: "string", default: "2" },
      out: { type: "string" },
      table: { type: "string" },
    },
  });
  const { step: names, harm: kinds, most, lanes, out, table } = values;
  const chosen = steps.filter(({ name }) => names?.includes(name) ?? true);
  const rows = chosen.flatMap((step) =>
    harms.filter((harm) => kinds?.includes(harm) ?? true).map((harm) => ({ step: step.name, harm })),
  );
  if (rows.length === 0) return say(`steps: ${steps.map(({ name }) => name).join(" ")}\nharms: ${harms.join(" ")}`);
  const hindrance = await findHindrance();
  if (hindrance !== undefined) return say(`nothing can be interrupted here: ${hindrance}`);
  const powered = rows.some(({ harm }) => /^POWER/.test(harm)) ? findDiskHindrance() : undefined;
  if (powered !== undefined) return say(`no power can be cut here: ${powered}; choose others with --harm`);
  const results = new Results(out);
  const left = harms.flatMap((harm) => rows.filter((row) => row.harm === harm && !results.isDone(row)));
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end.abort());
  const run = { results, most: Number(most), rehearsed: new Map(), end: end.signal };
  await Promise.all(Array.from({ length: Number(lanes) }, () => lane(run, left)));
  const said = results.table(rows);
  process.stdout.write(said);
  for (const { step, harm } of rows.filter((row) => !results.isDone(row))) say(`not tried to its end: ${step} ${harm}`);
  if (table !== undefined) putBetween(table, "npm run crash", said);
  return rows.some((row) => results.of(row).some(({ faults }) => faults.length > 0)) ? 1 : 0;
}

/** Tries one row after the other, in a network of its own, while another lane does so too. */
async function lane(run: Run, rows: Row[]): Promise<void> {
  const network = await Network.open();
  try {
    for (let row = rows.shift(); row !== undefined && !run.end.aborted; row = rows.shift()) {
      const { step, harm } = row;
      await tryRow({ top, network }, run, row).catch((error: unknown) => say(`${step} ${harm}: ${String(error)}`));
    }
  } finally {
    network.close();
  }
}

async function tryRow(ground: Ground, { results, most, rehearsed, end }: Run, row: Row): Promise<void> {
  const step = stepOf(row);
  const known = rehearsed.get(step.name) ?? rehearse(ground, step);
  rehearsed.set(step.name, known);
  const expected = await known;
  const before = results.of(row).length;
  for (let at = before + 1; at <= most && !end.aborted; at++) {
    const outcome = await interrupt(ground, step, { at, harm: row.harm }, expected);
    results.add({ ...row, at, ...outcome });
    for (const fault of outcome.faults)
      say(`${row.step}, ${row.harm} at ${at}, ${outcome.change}, ${outcome.answer}: ${fault}`);
    if (outcome.change === undefined) break;
  }
  const tried = results.of(row);
  const faulty = tried.filter(({ faults }) => faults.length > 0).length;
  say(`${row.step} ${row.harm}: ${tried.length - 1} interruptions, ${faulty} of them with faults`);
}

function stepOf({ step }: Row): Step {
  const found = steps.find(({ name }) => name === step);
  if (found === undefined) throw new Error(`no step ${step}`);
  return found;
}

function say(text: string): number {
  process.stderr.write(`${text}\n`);
  return 1;
}

process.exitCode = await main();
