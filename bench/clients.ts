/**
 * A block device over TLS, each host by its own command line: what a person
 * waits for, from the program's start to its end.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { encodeKey } from "../src/x509/keys.ts";
import { encodeCertificates } from "../src/x509/pem.ts";
import type { Figure } from "./figure.ts";
import { type Host, hasClient } from "./hosts.ts";
import type { Pki } from "./pki.ts";
import { contentOf, measure, megabyte } from "./rounds.ts";

const run = promisify(execFile);

/** Fills a device of so many MB and reads it, as it is and compressed on the way. */
export async function measureClients(
  folder: string,
  hosts: readonly Host[],
  pki: Pki,
  size: number,
): Promise<readonly Figure[]> {
  const place = join(folder, "clients");
  mkdirSync(place);
  pki.write(place);
  writeFileSync(join(place, "alice.pem"), encodeCertificates([pki.alice.certificate.raw]));
  writeFileSync(join(place, "alice.key"), encodeKey(pki.alice.key), { mode: 0o600 });
  writeFileSync(join(place, "content"), contentOf(size));
  const figures: Figure[] = [];
  for (const host of hosts.filter(({ who }) => who === "fulmar" || hasClient)) {
    const ask = async (...words: readonly string[]): Promise<string> => {
      const common = ["-d", `127.0.0.1:${host.port}`, "--ca", "alice.pem", "--ca-key", "alice.key"];
      const [program, first] = host.who === "fulmar" ? [process.execPath, ownClient] : ["albatross-client"];
      const { stdout } = await run(program, [...(first === undefined ? [] : [first]), ...words, ...common], {
        cwd: place,
      });
      return stdout;
    };
    await ask("create-block", "disk", String(size));
    for (const level of [0, 1]) {
      const [what, compression] = [level === 0 ? "" : `, level ${level}`, ["--compression-level", String(level)]];
      const set = (): Promise<string> => ask("set-block", "disk", "content", ...compression);
      figures.push(await measure(host, part, `set-block, ${size} MB${what}`, set));
      const dump = (): Promise<string> => ask("dump-block", "disk", ...compression);
      const check = (said: string): void => checkDump(place, said, size);
      figures.push(await measure(host, part, `dump-block, ${size} MB${what}`, dump, check));
    }
    await ask("destroy-block", "disk");
  }
  return figures;
}

/** Each says where it saved what came. */
function checkDump(place: string, said: string, size: number): void {
  const [, file] = /dumped (?:image )?to (\S+)/.exec(said) ?? [];
  if (file === undefined) throw new Error(`nothing was dumped: ${said}`);
  const saved = resolve(place, file);
  if (statSync(saved).size !== size * megabyte) throw new Error(`${file} is not the device's content`);
  rmSync(saved);
}

const ownClient: string = join(import.meta.dirname, "../bin/fulmar.js");
const part = "command lines";
