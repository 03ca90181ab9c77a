/**
 * What happens to unikernels, for whoever watches.
 *
 * @module
 */
import type { ExitStatus } from "./restart.ts";

export type Happening =
  /** By a create, or in the place of an older one. */
  | { readonly kind: "created" }
  /** By a command, after a failure, or with the daemon. */
  | { readonly kind: "restarted" }
  /** By itself. `failures` in a row; `delay` in ms until it is started again, if it is. */
  | { readonly kind: "ended"; readonly status: ExitStatus; readonly failures: number; readonly delay?: number }
  | { readonly kind: "destroyed" }
  /** Stopped, until its delegation counts again. */
  | { readonly kind: "held" };
