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
import { Disk } from "./disk.ts";
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
    const before = step.fresh === true ? nothing : await seenByNext(place, step);
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
  const disk = isPower(interruption) ? new Disk() : undefined;
  try {
    return await inPlace(
      ground,
      step,
      async (place) => {
        await begin(place, step);
        const witness = disk === undefined && step.stopsAll === undefined ? await witnessOf(place) : undefined;
        const performed = await perform(place, step, interruption);
        await place.kill("SIGKILL");
        if (disk !== undefined) {
          await place.powerOff();
          disk.cut(interruption.harm === "POWER-JOURNAL");
        }
        const faults = await inspect(place, step, performed, expected, witness).catch((error: unknown) => [
          String(error),
        ]);
        const text = performed.changes.find(({ harmed }) => harmed)?.text;
        const change = text?.replaceAll(place.folder, "").replaceAll(place.dbdir, "/db");
        return { answer: performed.answer, ...(change === undefined ? {} : { change }), faults };
      },
      disk?.path,
    );
  } finally {
    disk?.close();
  }
}

/** The bystander's tender, once it is one. */
async function witnessOf(place: Place): Promise<number> {
  for (let looks = 0; looks < 500; looks++) {
    const pid = place.tenderOf("bystander");
    if (pid !== undefined) return pid;
    await sleep(20);
  }
  throw new Error(`${bystander} does not run`);
}

/** What a new daemon finds that it should not. @param witness - the bystander's tender, where it should go on */
async function inspect(
  place: Place,
  step: Step,
  { answer, left, broken }: Performed,
  expected: Expected,
  witness: number | undefined,
): Promise<readonly string[]> {
  const found = await seenByNext(place, step);
  const faults = judge(answer, found, expected, {
    early: step.early,
    ended: place.log.includes(killedGuest),
    broken,
  });
  const undisturbed = witness === undefined || (await witnessOf(place)) === witness;
  return [
    ...faults,
    ...left,
    ...(undisturbed ? [] : [`${bystander} was stopped`]),
    ...(place.log.includes('"msg":"bug"') ? ["the daemon says that it has a bug"] : []),
    ...(place.log.includes("audit log is not as it was left") ? ["the audit log is damaged"] : []),
  ];
}

function isPower({ harm }: Interruption): boolean {
  return harm === "POWER" || harm === "POWER-JOURNAL";
}

interface Performed {
  readonly answer: Answer;
  readonly changes: readonly Change[];
  /** What should not be there once it is done. */
  readonly left: readonly string[];
  /** Whether its disk failed. */
  readonly broken: boolean;
}

/** Carries the step out, traced or interrupted. */
async function perform(place: Place, step: Step, interruption?: Interruption): Promise<Performed> {
  if (typeof step.act !== "function") await (step.act.guests === "run" ? place.kill("SIGKILL") : place.powerOff());
  const lost = interruption !== undefined && isPower(interruption);
  const tracer = new Tracer(join(place.folder, "changes"), lost ? place.dbdir : place.folder, interruption);
  const answer = await carryOut(place, step, tracer);
  await tracer.quiet();
  const changes = await tracer.end();
  const many = step.leavesNone === true && answer === "done" ? tenders(place.dbdir).length : 0;
  const broken = interruption?.harm === "EIO" || interruption?.harm === "ENOSPC";
  return { answer, changes, broken, left: many === 0 ? [] : [`${many} guests still ran`] };
}

async function carryOut(place: Place, { act }: Step, tracer: Tracer): Promise<Answer> {
  if (typeof act === "function") {
    if (!(await tracer.trace(place.pid))) throw new Error("the daemon cannot be traced");
    return await answered(place, act(await place.client(), place));
  }
  const done = await (act.starts === "daemon" ? place.start(tracer) : place.stopGuests(tracer));
  return done ? "done" : "unanswered";
}

async function begin(place: Place, step: Step): Promise<void> {
  await step.furnish?.(place);
  if (step.fresh === true) return;
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
  /** Whether the disk fails: what is taken back cannot be written either. */
  readonly broken: boolean;
}

function judge(
  answer: Answer,
  found: Sight,
  { before, after }: Expected,
  { early, ended, broken }: Leeway,
): readonly string[] {
  const between =
    early === undefined ? [] : [{ kept: [...before.kept, ...after.kept.filter((line) => early.test(line))] }];
  const allowed =
    answer === "done"
      ? [after]
      : answer === "refused"
        ? [before, ...(broken ? between : [])]
        : [before, after, ...between];
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

/** @param dbdir - the daemon's folder, where it is not to be one of the place's own */
async function inPlace<T>(ground: Ground, step: Step, work: (place: Place) => Promise<T>, dbdir?: string): Promise<T> {
  const place = new Place(ground, step.words, dbdir);
  try {
    return await work(place);
  } finally {
    await place.close();
  }
}

const nothing: Sight = { kept: [], orphans: [] };

/** What the log says of a guest that was killed. */
const killedGuest = '"happening":{"kind":"ended","status":{"kind":"signalled","signal":9}';

/** Milliseconds until a process that was killed is gone. */
const dying = 300;

/** Milliseconds for an answer: longer than a guest has to end. */
const longest = 15_000;
