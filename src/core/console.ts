/**
 * One unikernel's console: its output cut into lines, the latest ones kept.
 *
 * A guest's output is hostile input: it may never end a line, end thousands in
 * a moment, or stop in the middle of a character. What is kept is bounded in
 * lines and in bytes a line.
 *
 * @module
 */
import type { ConsoleStart } from "./command.ts";

export interface ConsoleLine {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  /** Without its end; any bytes. */
  readonly line: Uint8Array;
}

/** The last lines of one console. Mutable: a flooding guest must not cost a copy a line. */
export class Console {
  readonly #kept: number;
  readonly #lines: ConsoleLine[] = [];
  /** Where the oldest line stands once the ring is full. */
  #oldest = 0;
  /** The line that has not ended yet, as much of it as is kept, and whether there was more. */
  readonly #open: Uint8Array;
  #length = 0;
  #truncated = false;

  /**
   * @param kept - most lines
   * @param longest - bytes of a line; what is over is replaced by a note, as albatross does
   */
  constructor(kept: number, longest: number) {
    this.#kept = kept;
    this.#open = new Uint8Array(longest);
  }

  /** Takes output in, and returns the lines that it ended. */
  append(output: Uint8Array, time: number): readonly ConsoleLine[] {
    const lines: ConsoleLine[] = [];
    for (let at = 0; at < output.length; ) {
      const end = output.indexOf(newline, at);
      this.#extend(output.subarray(at, end < 0 ? output.length : end));
      if (end < 0) break;
      const line = this.#close(time);
      if (line !== undefined) lines.push(line);
      at = end + 1;
    }
    return lines;
  }

  /** Ends a line that the guest left open, and returns it. */
  flush(time: number): readonly ConsoleLine[] {
    const line = this.#close(time);
    return line === undefined ? [] : [line];
  }

  /** The kept lines from a time on, or the last so many, oldest first. */
  history(from: ConsoleStart): readonly ConsoleLine[] {
    const lines = [...this.#lines.slice(this.#oldest), ...this.#lines.slice(0, this.#oldest)];
    if (from.kind === "since") return lines.filter(({ time }) => time >= from.time);
    return from.count > 0 ? lines.slice(-Math.min(from.count, this.#kept)) : [];
  }

  #extend(bytes: Uint8Array): void {
    const room = this.#open.length - this.#length;
    this.#open.set(bytes.subarray(0, room), this.#length);
    this.#length += Math.min(room, bytes.length);
    this.#truncated ||= bytes.length > room;
  }

  /** The line that ended now; none for an empty one. */
  #close(time: number): ConsoleLine | undefined {
    const whole = !this.#truncated;
    const ended = whole && this.#open[this.#length - 1] === carriageReturn ? this.#length - 1 : this.#length;
    const kept = this.#open.slice(0, ended);
    this.#length = 0;
    this.#truncated = false;
    if (kept.length === 0) return undefined;
    const line = { time, line: whole ? kept : joined(kept, truncationNote) };
    this.#keep(line);
    return line;
  }

  #keep(line: ConsoleLine): void {
    if (this.#lines.length < this.#kept) {
      this.#lines.push(line);
      return;
    }
    this.#lines[this.#oldest] = line;
    this.#oldest = (this.#oldest + 1) % this.#kept;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

const newline = 0x0a;
/** A virtio guest ends its lines with both. */
const carriageReturn = 0x0d;
const truncationNote = Uint8Array.from(" [truncated]", (letter) => letter.charCodeAt(0));
