/**
 * One step, interrupted at one of the changes that it makes.
 *
 * What was answered binds: done, and the next daemon has it; refused, and it has
 * not. Without an answer either is right, and nothing in between is.
 *
 * @module
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FulmarError } from "../src/client/main.ts";
import { type Change, type Interruption, Tracer } from "./interruption.ts";
import { tenders } from "./machine.ts";
import { type Ground, Place } from "./place.ts";
import type { Sight } from "./sight.ts";
import { bystander, prepareAll, type Step } from "./steps.ts";

/** Unstored: done, and said to be not on the disk yet. */
export type Answer = "done" | "refused" | "unstored" | "unanswered";

/** What came of one interruption. */
export interface Outcome {
  /** Which change it was; absent: the step makes fewer. */
  readonly change?: string;
  readonly answer: Answer;
  /** Where what was found contradicts what was answered. */
  readonly faults: readonly string[];
}

/** What a step leaves when nothing interferes. */
export interface Expected {
  readonly before: Sight;
  readonly after: Sight;
  /** In their order; those that are made at once come in any. */
  readonly changes: readonly Change[];
}

/** Without interference: what is seen before and after, each time by a new daemon. */
export async function rehearse(ground: Ground, step: Step): Promise<Expected> {
  return await inPlace(ground, step, async (place) => {
    await begin(place, step);
    const before = await seenByNext(place, step);
    const { changes } = await perform(place, step);
    return { before, after: await seenByNext(place, step), changes };
  });
}

/** @param expected - what `rehearse` told */
export async function interrupt(
  ground: Ground,
  step: Step,
  interruption: Interruption,
  expected: Expected,
): Promise<Outcome> {
  return await inPlace(ground, step, async (place) => {
    await begin(place, step);
    const witness = place.tenderOf("bystander");
    const { answer, changes, left } = await perform(place, step, interruption);
    const change = changes.find(({ harmed }) => harmed)?.text.replaceAll(place.folder, "");
    const common = { answer, ...(change === undefined ? {} : { change }) };
    try {
      const found = await seenByNext(place, step);
      const faults = judge(answer, found, expected, { early: step.early, ended: place.log.includes(killedGuest) });
      const undisturbed = step.stopsAll === true || place.tenderOf("bystander") === witness;
      const bugs = place.log.includes('"msg":"bug"') ? ["the daemon says that it has a bug"] : [];
      const damage = place.log.includes("audit log is not as it was left") ? ["the audit log is damaged"] : [];
      const others = undisturbed ? [] : [`${bystander} was stopped`];
      return { ...common, faults: [...faults, ...left, ...others, ...bugs, ...damage] };
    } catch (error) {
      return { ...common, faults: [error instanceof Error ? error.message : String(error)] };
    }
  });
}

interface Performed {
  readonly answer: Answer;
  readonly changes: readonly Change[];
  /** What should not be there once it is done. */
  readonly left: readonly string[];
}

/** Carries the step out, traced or interrupted. */
async function perform(place: Place, step: Step, interruption?: Interruption): Promise<Performed> {
  const tracer = new Tracer(join(place.folder, "changes"), place.folder, interruption);
  const answer = await carryOut(place, step, tracer);
  await tracer.quiet();
  const changes = await tracer.end();
  const many = step.leavesNone === true && answer === "done" ? tenders(place.dbdir).length : 0;
  return { answer, changes, left: many === 0 ? [] : [`${many} guests still ran`] };
}

async function carryOut(place: Place, { act }: Step, tracer: Tracer): Promise<Answer> {
  if (typeof act === "function") {
    if (!(await tracer.trace(place.pid))) throw new Error("the daemon cannot be traced");
    return await answered(place, act(await place.client(), place));
  }
  await (act.guests === "run" ? place.kill("SIGKILL") : place.powerOff());
  const done = await (act.starts === "daemon" ? place.start(tracer) : place.stopGuests(tracer));
  return done ? "done" : "unanswered";
}

async function begin(place: Place, step: Step): Promise<void> {
  await step.furnish?.(place);
  if (!(await place.start())) throw new Error(`no daemon: ${place.log}`);
  const client = await place.client();
  await prepareAll(client, place);
  await step.prepare(client, place);
  await client.close();
}

/** What a daemon that follows a killed one finds and keeps. */
async function seenByNext(place: Place, { look = async () => [] }: Step): Promise<Sight> {
  await place.kill("SIGKILL");
  if (!(await place.start())) throw new Error(`no daemon after the interruption: ${place.log.slice(-2000)}`);
  return await place.see(() => look(place));
}

async function answered(place: Place, act: Promise<void>): Promise<Answer> {
  const late = new AbortController();
  const patience = sleep(longest, "unanswered" as const, { signal: late.signal }).catch(() => "unanswered" as const);
  const answer = act.then((): Answer => "done", answerOf);
  const first = await Promise.race([answer, patience]);
  late.abort();
  if (first === "unanswered" && place.isAlive && !(await serves(place)))
    throw new Error(`the daemon hangs: ${place.log.slice(-2000)}`);
  return first;
}

function answerOf(error: unknown): Answer {
  if (!(error instanceof FulmarError) || error.kind !== "refused") return "unanswered";
  return error.message.includes("the disk did not take it") ? "unstored" : "refused";
}

/** One that was killed just now does not either. */
async function serves(place: Place): Promise<boolean> {
  const client = await place.client();
  const told = client.info().then(
    () => true,
    async () => {
      await sleep(dying);
      return !place.isAlive;
    },
  );
  return Promise.race([told, sleep(longest, false)]);
}

interface Leeway {
  /** Of the step. */
  readonly early: RegExp | undefined;
  /** Whether it was the guest itself that was killed: then it is gone, as after any signal. */
  readonly ended: boolean;
}

function judge(answer: Answer, found: Sight, { before, after }: Expected, { early, ended }: Leeway): readonly string[] {
  const between =
    early === undefined ? [] : [{ kept: [...before.kept, ...after.kept.filter((line) => early.test(line))] }];
  const allowed = answer === "done" ? [after] : answer === "refused" ? [before] : [before, after, ...between];
  const right = allowed.some(
    ({ kept }) => isSame(kept, found.kept) || (ended && isSame(withoutGuest(kept), found.kept)),
  );
  return [...(right ? [] : [`found ${JSON.stringify(found.kept)}`]), ...found.orphans];
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify(a.toSorted()) === JSON.stringify(b.toSorted());
}

function withoutGuest(kept: readonly string[]): readonly string[] {
  return kept
    .filter((line) => !/^unikernel alice:(?:bob:)?vm /.test(line))
    .map((line) => line.replace(/ used$/, " free"));
}

async function inPlace<T>(ground: Ground, step: Step, work: (place: Place) => Promise<T>): Promise<T> {
  const place = new Place(ground, step.words);
  try {
    return await work(place);
  } finally {
    await place.close();
  }
}

/** What the log says of a guest that was killed. */
const killedGuest = '"happening":{"kind":"ended","status":{"kind":"signalled","signal":9}';

/** Milliseconds until a process that was killed is gone. */
const dying = 300;

/** Milliseconds for an answer: longer than a guest has to end. */
const longest = 15_000;
