/**
 * What the machine shows, whatever the programs on trial say: processes, taps, files.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Pid and command line of each tender of a daemon, whoever started it. */
export function tenders(dbdir: string): readonly (readonly [number, string])[] {
  const found = list("/proc").flatMap((pid) => {
    const words = /^\d+$/.test(pid) ? read(`/proc/${pid}/cmdline`).replaceAll("\0", " ") : "";
    const is = words.includes(`${dbdir}/images/`) && !words.includes("fulmar-shim");
    return is ? [[Number(pid), words, Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1])] as const] : [];
  });
  // What the double has just forked is still called as it is.
  return found.flatMap(([pid, words, parent]) =>
    found.some(([other]) => other === parent) ? [] : [[pid, words] as const],
  );
}

/** Of this network; /sys would show another one's. */
export function taps(): readonly string[] {
  const { stdout } = spawnSync("ip", ["-o", "link", "show", "type", "tun"], { encoding: "utf8" });
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
