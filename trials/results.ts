/**
 * What the interruptions came to: a line for each in a file, so that a run can
 * go on where another one ended, and a table of them all.
 *
 * @module
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import type { Harm } from "./interruption.ts";
import { read } from "./machine.ts";
import type { Answer, Outcome } from "./trial.ts";

/** A step under a harm. */
export interface Row {
  readonly step: string;
  readonly harm: Harm;
}

export interface Result extends Row, Outcome {
  readonly at: number;
}

export class Results {
  readonly #file: string | undefined;
  readonly #results: Result[];

  /** @param file - JSON lines; absent: nothing is kept */
  constructor(file?: string) {
    this.#file = file;
    const lines = file === undefined ? [] : read(file).split("\n");
    this.#results = lines.filter((line) => line !== "").map((line): Result => JSON.parse(line));
  }

  add(result: Result): void {
    this.#results.push(result);
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(result)}\n`);
  }

  of(row: Row): readonly Result[] {
    return this.#results.filter(({ step, harm }) => step === row.step && harm === row.harm);
  }

  /** Whether the row was tried to its end: at a change that the step does not make. */
  isDone(row: Row): boolean {
    return this.of(row).some(({ change }) => change === undefined);
  }

  /** Markdown, of what was tried to its end; a step that makes none of the changes in question has no line. */
  table(rows: readonly Row[]): string {
    const lines = rows.flatMap((row) => {
      if (!this.isDone(row)) return [];
      const results = this.of(row).filter(({ change }) => change !== undefined);
      if (results.length === 0) return [];
      const count = (answer: Answer): number => results.filter((result) => result.answer === answer).length;
      const answers = [count("done"), count("refused"), count("unstored"), count("unanswered")];
      const faults = results.filter((result) => result.faults.length > 0).length;
      return `| ${[row.step, row.harm, results.length, ...answers, faults].join(" | ")} |\n`;
    });
    return `${head}${lines.join("")}`;
  }
}

/** Puts a text between the two marks of a file, in place of what stands there. */
export function putBetween(file: string, mark: string, text: string): void {
  const [begin, end] = [`<!-- ${mark} -->\n`, `<!-- end of ${mark} -->\n`];
  const whole = readFileSync(file, "utf8");
  const [first, last] = [whole.indexOf(begin), whole.indexOf(end)];
  if (first < 0 || last < first) throw new Error(`${file} has no place for ${mark}`);
  writeFileSync(file, `${whole.slice(0, first + begin.length)}\n${text}\n${whole.slice(last)}`);
}

const head =
  "| step | harm | interruptions | done | refused | not on disk | unanswered | faults |\n|---|---|---|---|---|---|---|---|\n";
