/** That every command of albatross-client is tried, with both clients and both daemons, and where. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needPrograms, top } from "./needs.ts";

/** A test: its file below test/, and how its title begins. */
type Place = readonly [file: string, title: string];

const local = "interop/albatross_client_local.test.ts";
const far = "interop/albatross_client_remote.test.ts";
const unikernels: Place = [local, "albatross-client creates, shows, restarts and destroys a unikernel"];
const consoles: Place = [local, "albatross-client reads a console"];
const policies: Place = [local, "albatross-client adds, shows and removes policies"];
const devices: Place = [local, "albatross-client creates, shows, attaches and destroys a block device"];
const throughOurs: Place = [far, "albatross-client carries out every command with its own authority"];
const onTheirs: Place = ["interop/albatrossd.test.ts", "fulmar carries out every command on albatrossd's sockets"];
const throughTheirs: Place = [onTheirs[0], "fulmar carries out every command through albatross's endpoint"];
const contents: Place = ["interop/contents.test.ts", "$client gets from $daemon what it gave"];
const more = "interop/remaining_commands.test.ts";
const updates: Place = [more, "$client updates a unikernel of $daemon"];
const byHand: Place = [more, "$client replaces and removes a policy of $daemon"];
const notFar: Place = [more, "$client changes no policy of $daemon"];
const usage: Place = ["interop/statistics.test.ts", "albatross-client sees what guests of fulmard use"];
const theirUsage: Place = [usage[0], "fulmar sees what albatross-stats measures"];
const crosswise: Place = ["interop/pki.test.ts", "below a root of %s, both endpoints take what both clients make"];

/** By albatross-client with fulmard and its endpoint, and by our client with albatrossd and its. */
const commands: Readonly<Record<string, readonly Place[]>> = {
  "add-policy": [policies, notFar, onTheirs],
  block: [devices, throughOurs, onTheirs, throughTheirs],
  certificate: [[far, "albatross-client has a signed certificate carried out"], crosswise],
  console: [consoles, throughOurs, onTheirs, throughTheirs],
  create: [unikernels, throughOurs, onTheirs, throughTheirs],
  "create-block": [devices, throughOurs, onTheirs, throughTheirs, contents],
  destroy: [unikernels, throughOurs, onTheirs, throughTheirs],
  "destroy-block": [devices, throughOurs, onTheirs, throughTheirs],
  "dump-block": [contents],
  "extract-dump": [["cli/dump.test.ts", "extract-dump writes the image"]],
  generate: [["interop/systems.ts", "async function makeAuthorities"], crosswise],
  get: [contents],
  "inactive-consoles": [contents],
  info: [unikernels, throughOurs, onTheirs, throughTheirs],
  "inspect-dump": [["cli/dump.test.ts", "inspect-dump shows what albatross does for a state of encoding %s"]],
  policy: [policies, throughOurs, onTheirs, throughTheirs],
  "remove-policy": [policies, byHand, notFar, onTheirs],
  "replace-policy": [byHand, notFar],
  restart: [unikernels, throughOurs, onTheirs, throughTheirs],
  "set-block": [contents],
  sign: [["interop/systems.ts", "async function makeAuthorities"], crosswise],
  stats: [usage, theirUsage],
  "stats-add": [byHand, notFar],
  "stats-remove": [byHand, notFar],
  update: [updates],
};

test.for(Object.entries(commands))("%s is tried where this says", ([command, places]) => {
  // At the beginning of a command line, or behind the client's name.
  const said = new RegExp(`["\`} ]${command}[" \`]`);
  for (const place of places) {
    const text = textOf(place);
    expect([place, text !== ""]).toEqual([place, true]);
    if (place !== crosswise) expect([place, said.test(text)]).toEqual([place, true]);
  }
});

test("albatross-client has no command that is not listed here", (context) => {
  const client = "albatross-client";
  needPrograms(context, client);
  const help = execFileSync(client, ["--help=plain"], { encoding: "utf8" });
  const listed = /\nCOMMANDS\n([\s\S]*?)\n\S/.exec(help)?.[1]?.matchAll(/^ {7}([a-z][a-z-]*)/gm) ?? [];
  expect(new Set([...listed].map(([, command]) => command))).toEqual(new Set(Object.keys(commands)));
});

test("our client has every command that is listed here", () => {
  const program = join(top, "dist/bin/fulmar.js");
  const help = execFileSync(process.execPath, [program, "--help"], { encoding: "utf8" });
  for (const command of Object.keys(commands)) expect(help).toMatch(new RegExp(`^ +(\\S+\\|)?${command}[ |]`, "m"));
});

/** From where a test begins to where the next thing of its file does; empty where there is none. */
function textOf([file, title]: Place): string {
  const text = readFileSync(join(top, "test", file), "utf8");
  const at = text.indexOf(title);
  return at < 0 ? "" : (/^[\s\S]*?\n[})]/.exec(text.slice(at))?.[0] ?? "");
}
