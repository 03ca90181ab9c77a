/**
 * What the machine shows, whatever the programs on trial say: processes, taps, files.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Pid and command line of each tender of a daemon, whoever started it. */
export function tenders(dbdir: string): readonly (readonly [number, string])[] {
  const found = processesWith(`${dbdir}/images/`)
    .filter(([, words]) => !words.includes("fulmar-shim"))
    .map(([pid, words]) => [pid, words, Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1])] as const);
  // What the double has just forked is still called as it is.
  return found.flatMap(([pid, words, parent]) =>
    found.some(([other]) => other === parent) ? [] : [[pid, words] as const],
  );
}

/** Pid and command line of those whose command line has the text. */
export function processesWith(text: string): readonly (readonly [number, string])[] {
  return list("/proc").flatMap((pid) => {
    const own = Number(pid) === process.pid;
    const words = /^\d+$/.test(pid) && !own ? read(`/proc/${pid}/cmdline`).replaceAll("\0", " ") : "";
    return words.includes(text) ? [[Number(pid), words] as const] : [];
  });
}

/** Of a network; /sys would show another one's. @param inside - in front of a command line: what makes it run there */
export function taps(inside: readonly string[] = []): readonly string[] {
  const [program = "", ...words] = [...inside, "ip", "-o", "link", "show", "type", "tun"];
  const { stdout } = spawnSync(program, words, { encoding: "utf8" });
  return [...stdout.matchAll(/^\d+: ([^:@]+)/gm)].flatMap(([, name]) => name ?? []);
}

export function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Empty for what is not there any more. */
export function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

/** All files of a folder, each with what tells its content from another. */
export function readAll(folder: string): readonly { readonly file: string; readonly digest: string }[] {
  const files = list(folder).filter((file) => statSync(join(folder, file)).isFile());
  return files.toSorted().map((file) => ({
    file,
    digest: createHash("sha256")
      .update(readFileSync(join(folder, file)))
      .digest("hex")
      .slice(0, 8),
  }));
}

export function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended since.
  }
}
