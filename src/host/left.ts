/**
 * What an earlier daemon left of its guests, read together: the process or its
 * end, and what the daemon had noted about it.
 *
 * @module
 */
import { join } from "node:path";
import { decodeNote, type Note } from "../codec/note.ts";
import type { Found } from "../core/boot.ts";
import type { Name } from "../core/name.ts";
import type { ExitStatus } from "../core/restart.ts";
import { ok, type Result } from "../core/result.ts";
import { adoptGuests, type Guest } from "./guest.ts";
import type { IoError } from "./io.ts";
import type { Loan } from "./loan.ts";

export interface Left {
  readonly name: Name;
  readonly note: Note;
  readonly stopping: boolean;
  /** While it runs. */
  readonly guest?: Guest;
  /** Ms since the Unix epoch. */
  readonly end?: { readonly status: ExitStatus; readonly at: number };
}

/** Where guests are written down. */
export function runFolder(tmpdir: string): string {
  return join(tmpdir, "guest");
}

export async function findLeft(tmpdir: string): Promise<Result<readonly Left[], IoError>> {
  const found = await adoptGuests(runFolder(tmpdir));
  if (!found.ok) return found;
  return ok(
    found.value.map((one): Left => {
      const { stopping } = one;
      const note = decodeNote(one.note);
      if (one.kind === "running") return { name: one.guest.name, note, stopping, guest: one.guest };
      return { name: one.name, note, stopping, end: { status: one.status, at: one.at ?? note.started ?? 0 } };
    }),
  );
}

/** What the supervisor decides by. */
export function foundOf({ name, note, stopping, end }: Left): Found {
  const { incarnation, started } = note;
  return {
    name,
    stopping,
    ...(incarnation === undefined ? {} : { incarnation }),
    ...(started === undefined ? {} : { started }),
    ...(end === undefined ? {} : { end }),
  };
}

/** What the guest had, or has, of the host; its console is not open. */
export function loanOf({ name, note }: Left): Loan {
  const { uid, taps, incarnation } = note;
  const devices = uid === undefined ? [] : (incarnation?.devices ?? []);
  const blocks = devices.flatMap((device) => (device.kind === "block" ? [device.name] : []));
  return { name, taps, blocks, ...(uid === undefined ? {} : { uid }) };
}
