/**
 * When a unikernel that is created counts as healthy: once it has run for so
 * long, has printed a line that fits a pattern, or has answered a probe.
 *
 * A pattern is an expression without groups and alternatives: characters, `.`,
 * `[a-z]`, `[^a-z]`, each perhaps with `*`, `+` or `?` behind it, `^` and `$` at
 * its ends, `\` before what is meant as itself. A line costs its length times
 * the pattern's, whoever wrote the two: nothing is tried twice.
 *
 * @module
 */
import { parseProbe } from "./probe.ts";
import type { Refusal } from "./refusal.ts";
import { err, ok, type Result } from "./result.ts";

export interface Health {
  /** Milliseconds: it must be healthy by then, or where nothing else is asked run until then. */
  readonly within: number;
  /** Of a line on its console. */
  readonly pattern?: string;
  /** As `parseProbe` reads it. */
  readonly probe?: string;
}

/** @param bridges - how many network devices it has */
export function checkHealth({ within, pattern, probe }: Health, bridges: number): Result<void, Refusal> {
  if (within < 1 || within > maxWithin) return err({ kind: "health-too-long", within, limit: maxWithin });
  if (probe !== undefined && bridges === 0) return err({ kind: "probe-without-bridge" });
  const printed = pattern === undefined ? ok(undefined) : parsePattern(pattern);
  if (!printed.ok) return printed;
  const probed = probe === undefined ? ok(undefined) : parseProbe(probe);
  return probed.ok ? ok(undefined) : probed;
}

/** Health as people write it. */
export interface HealthWords {
  /** Milliseconds; half a minute, where there is `health`. */
  readonly healthyAfter?: number;
  /** `console:PATTERN`, or a probe. */
  readonly health?: string;
}

export function readHealth({ healthyAfter, health }: HealthWords): Result<{ readonly health?: Health }, Refusal> {
  if (healthyAfter === undefined && health === undefined) return ok({});
  const within = healthyAfter ?? usualWithin;
  const sign = health?.startsWith(onConsole) ? { pattern: health.slice(onConsole.length) } : { probe: health ?? "" };
  const read: Health = health === undefined ? { within } : { within, ...sign };
  const checked = checkHealth(read, 1);
  return checked.ok ? ok({ health: read }) : checked;
}

interface Piece {
  readonly fits: (character: number) => boolean;
  readonly optional: boolean;
  readonly repeated: boolean;
}

/** Whether a line fits; any part of it, unless the pattern is bound to the line's ends. */
export interface Pattern {
  matches(line: Uint8Array): boolean;
}

export function parsePattern(text: string): Result<Pattern, Refusal> {
  const bad = (at: number): Result<Pattern, Refusal> => err({ kind: "pattern-bad", at });
  if (text.length === 0 || text.length > maxPattern) return bad(text.length);
  const atStart = text.startsWith("^");
  const pieces: Piece[] = [];
  let at = atStart ? 1 : 0;
  while (at < text.length && !(text[at] === "$" && at === text.length - 1)) {
    const atom = readAtom(text, at);
    if (atom === undefined) return bad(at);
    const sign = text[atom.end] ?? "";
    const quantified = sign !== "" && "*+?".includes(sign);
    pieces.push({
      fits: atom.fits,
      optional: quantified && sign !== "+",
      repeated: quantified && sign !== "?",
    });
    at = atom.end + (quantified ? 1 : 0);
  }
  const atEnd = at < text.length;
  return ok({ matches: (line) => run(pieces, atStart, atEnd, line) });
}

interface Atom {
  readonly fits: (character: number) => boolean;
  readonly end: number;
}

function readAtom(text: string, at: number): Atom | undefined {
  const character = text[at] ?? "";
  if (character === ".") return { fits: () => true, end: at + 1 };
  if (character === "[") return readClass(text, at);
  const escaped = character === "\\";
  const own = text.charCodeAt(escaped ? at + 1 : at);
  if (Number.isNaN(own) || own > maxCharacter || (!escaped && "*+?()|{}]^$".includes(character))) return undefined;
  return { fits: (other) => other === own, end: at + (escaped ? 2 : 1) };
}

function readClass(text: string, at: number): Atom | undefined {
  const negated = text[at + 1] === "^";
  const from = at + (negated ? 2 : 1);
  const end = text.indexOf("]", from);
  const inside = text.slice(from, end);
  if (end < 0 || inside === "" || inside.includes("\\")) return undefined;
  const ranges: (readonly [number, number])[] = [];
  for (let index = 0; index < inside.length; index++) {
    const first = inside.charCodeAt(index);
    const isRange = inside[index + 1] === "-" && index + 2 < inside.length;
    ranges.push([first, isRange ? inside.charCodeAt(index + 2) : first]);
    if (isRange) index += 2;
  }
  return { fits: (other) => ranges.some(([low, high]) => low <= other && other <= high) !== negated, end: end + 1 };
}

/** All positions in the pattern that the line so far may stand at, at once. */
function run(pieces: readonly Piece[], atStart: boolean, atEnd: boolean, line: Uint8Array): boolean {
  let reached = new Set<number>();
  const enter = (into: Set<number>, position: number): void => {
    for (let next = position; ; next++) {
      into.add(next);
      if (pieces[next]?.optional !== true) return;
    }
  };
  enter(reached, 0);
  for (const character of line) {
    if (!atEnd && reached.has(pieces.length)) return true;
    const next = new Set<number>();
    if (!atStart) enter(next, 0);
    for (const position of reached) {
      const piece = pieces[position];
      if (piece?.fits(character) !== true) continue;
      if (piece.repeated) enter(next, position);
      enter(next, position + 1);
    }
    reached = next;
  }
  return reached.has(pieces.length);
}

const onConsole = "console:";

/** Milliseconds: a slow unikernel's start with room to spare. */
const usualWithin = 30_000;

/** Milliseconds: clients wait some minutes for the answer to a create. */
const maxWithin = 240_000;

/** Characters: with lines of 512 bytes no line costs more than a few ms. */
const maxPattern = 128;

/** Lines are matched by bytes: ASCII. */
const maxCharacter = 0x7f;
