/**
 * How far an upload or a download is, on a terminal.
 *
 * @module
 */
import type { Environment } from "../host/client_environment.ts";

export class Progress {
  readonly #environment: Environment;
  readonly #verb: string;
  readonly #size: number;
  #shown: number = Number.NEGATIVE_INFINITY;

  /** @param size - bytes of the whole; 0 where nobody knows */
  constructor(environment: Environment, verb: "sent" | "received", size: number = 0) {
    this.#environment = environment;
    this.#verb = verb;
    this.#size = size;
  }

  /** @param done - bytes so far */
  show(done: number): void {
    const now = performance.now();
    if (now - this.#shown < interval) return;
    this.#shown = now;
    this.#write(done);
  }

  end(done: number): void {
    if (this.#shown === Number.NEGATIVE_INFINITY) return;
    this.#write(done);
    if (this.#environment.interactive) this.#environment.stderr("\n");
  }

  #write(done: number): void {
    if (!this.#environment.interactive) return;
    const whole = this.#size === 0 ? "" : ` of ${megabytes(this.#size)}`;
    this.#environment.stderr(`\r${this.#verb} ${megabytes(done)}${whole} MB`);
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** Milliseconds between two lines. */
const interval = 100;
