/**
 * One step, interrupted again and again: at each call that it makes, from the
 * first to the one after its last.
 *
 * What was answered binds: done, and the next daemon has it; refused, and it has
 * not. Without an answer either is right, and nothing in between is.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FulmarError } from "../src/client/main.ts";
import {
  changingCalls,
  diskCalls,
  type Harm,
  Interrupter,
  type Interruption,
  straceWords,
  wasHarmed,
} from "./interruption.ts";
import { Place, type Sight } from "./place.ts";
import { bystander, prepareAll, type Step } from "./steps.ts";

/** What came of one step under one kind of harm. */
export interface Row {
  readonly step: string;
  readonly harm: Harm;
  readonly interruptions: number;
  readonly done: number;
  readonly refused: number;
  readonly unstored: number;
  readonly unanswered: number;
  /** Where what was found contradicts what was answered. */
  readonly faults: readonly string[];
}

/** Unstored: done, and said to be not on the disk yet. */
type Answer = "done" | "refused" | "unstored" | "unanswered";

/** What a step leaves when nothing interferes. */
interface Expected {
  readonly before: Sight;
  readonly after: Sight;
  /** The changing calls that it makes. */
  readonly calls: readonly string[];
}

/** What is done to a step. */
export interface Trial {
  readonly harm: Harm;
  /** Of the calls that it makes, those at which it is done; absent: all that may matter. */
  readonly calls?: readonly string[];
  /** Interruptions at one kind of call, at most. */
  readonly most: number;
  readonly report?: (text: string) => void;
}

export async function tryStep(top: string, step: Step, trial: Trial): Promise<Row> {
  const { harm, most, report = () => undefined, calls = harm === "KILL" ? changingCalls : diskCalls } = trial;
  const expected = await rehearse(top, step);
  const counts = { done: 0, refused: 0, unstored: 0, unanswered: 0 };
  const faults: string[] = [];
  let interruptions = 0;
  for (const call of calls.filter((one) => expected.calls.includes(one))) {
    for (let at = 1; at <= most; at++) {
      const outcome = await interrupt(top, step, { call, at, harm }, expected);
      if (!outcome.harmed) break;
      interruptions += 1;
      counts[outcome.answer] += 1;
      const where = `${step.name}, ${harm} at ${call} ${at}, ${outcome.answer}`;
      faults.push(...outcome.faults.map((fault) => `${where}: ${fault}`));
    }
  }
  for (const fault of faults) report(fault);
  report(`${step.name} ${harm}: ${interruptions} interruptions, ${faults.length} faults`);
  return { step: step.name, harm, interruptions, ...counts, faults };
}

/** The rows for people, as Markdown. */
export function printTable(rows: readonly Row[]): string {
  const lines = rows.map(({ step, harm, interruptions, done, refused, unstored, unanswered, faults }) => {
    return `| ${step} | ${harm} | ${interruptions} | ${done} | ${refused} | ${unstored} | ${unanswered} | ${faults.length} |\n`;
  });
  const head =
    "| step | harm | interruptions | done | refused | not on disk | unanswered | faults |\n|---|---|---|---|---|---|---|---|\n";
  return head + lines.join("");
}

/** Without interference: what is seen before and after, each time by a new daemon. */
async function rehearse(top: string, step: Step): Promise<Expected> {
  return await inPlace(top, async (place) => {
    await begin(place, step);
    const before = await seenByNext(place);
    const { lines } = await perform(place, step);
    const calls = new Set(lines.flatMap((line) => /^\d+ +(\w+)\(/.exec(line)?.[1] ?? []));
    return { before, after: await seenByNext(place), calls: [...calls] };
  });
}

async function interrupt(
  top: string,
  step: Step,
  interruption: Interruption,
  expected: Expected,
): Promise<{ readonly harmed: boolean; readonly answer: Answer; readonly faults: readonly string[] }> {
  return await inPlace(top, async (place) => {
    await begin(place, step);
    const witness = place.tenderOf("bystander");
    const { answer, lines } = await perform(place, step, interruption);
    const harmed = wasHarmed(lines, interruption);
    const found = await seenByNext(place);
    const faults = judge(answer, found, expected, place.log.includes(killedGuest));
    const kept = place.tenderOf("bystander") === witness ? [] : [`${bystander} was stopped`];
    const bugs = place.log.includes('"msg":"bug"') ? ["the daemon says that it has a bug"] : [];
    return { harmed, answer, faults: [...faults, ...kept, ...bugs] };
  });
}

/** Carries the step out, watched or interrupted. @returns what was answered, and the calls that were seen */
async function perform(
  place: Place,
  { act }: Step,
  interruption?: Interruption,
): Promise<{ readonly answer: Answer; readonly lines: readonly string[] }> {
  const log = join(place.folder, "calls");
  if (act === undefined) {
    await place.kill("SIGKILL");
    const serves = await place.start(straceWords(log, interruption));
    await sleep(settling);
    return { answer: serves ? "done" : "unanswered", lines: readFileSync(log, "latin1").split("\n") };
  }
  const watch = await Interrupter.attach(place.pid, log, interruption);
  const answer = await answered(place, act(await place.client(), place));
  await sleep(settling);
  return { answer, lines: await watch.detach() };
}

async function begin(place: Place, step: Step): Promise<void> {
  if (!(await place.start())) throw new Error(`no daemon: ${place.log}`);
  const client = await place.client();
  await prepareAll(client, place);
  await step.prepare(client, place);
  await client.close();
}

/** What a daemon that follows a killed one finds and keeps. */
async function seenByNext(place: Place): Promise<Sight> {
  await place.kill("SIGKILL");
  if (!(await place.start())) throw new Error(`no daemon after the interruption: ${place.log.slice(-2000)}`);
  return place.see();
}

async function answered(place: Place, act: Promise<void>): Promise<Answer> {
  const late = new AbortController();
  const patience = sleep(longest, "unanswered" as const, { signal: late.signal }).catch(() => "unanswered" as const);
  const answer = act.then((): Answer => "done", answerOf);
  const first = await Promise.race([answer, patience]);
  late.abort();
  if (first === "unanswered" && !(await serves(place)) && place.isAlive)
    throw new Error(`the daemon hangs: ${place.log.slice(-2000)}`);
  return first;
}

function answerOf(error: unknown): Answer {
  if (!(error instanceof FulmarError) || error.kind !== "refused") return "unanswered";
  return error.message.includes("the disk did not take it") ? "unstored" : "refused";
}

async function serves(place: Place): Promise<boolean> {
  const client = await place.client();
  const told = client.info().then(
    () => true,
    () => sleep(settling, false),
  );
  return Promise.race([told, sleep(longest, false)]);
}

/** @param ended - whether it was the guest itself that was killed: then it is gone, as after any signal */
function judge(answer: Answer, found: Sight, { before, after }: Expected, ended: boolean): readonly string[] {
  const allowed = answer === "done" ? [after] : answer === "refused" ? [before] : [before, after];
  const right = allowed.some(
    ({ kept }) => isSame(kept, found.kept) || (ended && isSame(withoutGuest(kept), found.kept)),
  );
  return [...(right ? [] : [`found ${JSON.stringify(found.kept)}`]), ...found.orphans];
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function withoutGuest(kept: readonly string[]): readonly string[] {
  return kept.filter((line) => !line.startsWith("unikernel alice:vm ")).map((line) => line.replace(/ used$/, " free"));
}

async function inPlace<T>(top: string, work: (place: Place) => Promise<T>): Promise<T> {
  const place = new Place(top);
  try {
    return await work(place);
  } finally {
    await place.close();
  }
}

/** What the log says of a guest that was killed. */
const killedGuest = '"happening":{"kind":"ended","status":{"kind":"signalled","signal":9}';

/** Milliseconds: what a command sets in motion behind its answer has happened by then. */
const settling = 300;

/** Milliseconds for an answer: longer than a guest has to end. */
const longest = 15_000;
