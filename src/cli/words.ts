/**
 * The words of a command line as values: one parser for each kind of argument.
 *
 * These throw commander's InvalidArgumentError, which it turns into its own
 * message about the option or argument at hand.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import { type Destination, parseDestination } from "../client/destination.ts";
import { describeNameError } from "../core/describe.ts";
import { type Name, type NameError, type Path, parseLabel, parseName, parsePath } from "../core/name.ts";
import { type Permission, parsePermission, permissions, sortPermissions } from "../core/permission.ts";
import type { BlockAttachment, BridgeAttachment } from "../core/unikernel.ts";
import { escapeText } from "./escape.ts";

/** `alice:bob:vm`, or `alice:bob:` where a path is meant. */
export function parseNameWord(word: string): Name {
  const name = parseName(word);
  if (!name.ok) throw invalid(name.error);
  return name.value;
}

/** A name that ends in a label: one unikernel or block device. */
export function parseThingWord(word: string): Name {
  const name = parseNameWord(word);
  if (name.label === undefined) {
    throw new InvalidArgumentError("It names a path; give the name of one thing in it, such as 'alice:web'.");
  }
  return name;
}

/** `alice:bob`, without the colon at its end; that one is accepted too. */
export function parsePathWord(word: string): Path {
  const path = parsePath(word === ":" ? "" : word.replace(/(?<=.):$/, ""));
  if (!path.ok) throw invalid(path.error);
  return path.value;
}

/** A decimal number from 0 up. */
export function parseCountWord(word: string): number {
  if (!/^\d{1,15}$/.test(word)) throw new InvalidArgumentError("It must be a number, 0 or more.");
  return Number(word);
}

/** A decimal number from 1 up. */
export function parsePositiveWord(word: string): number {
  const number = parseCountWord(word);
  if (number === 0) throw new InvalidArgumentError("It must be at least 1.");
  return number;
}

export function parseLevelWord(word: string): number {
  if (!/^\d$/.test(word)) throw new InvalidArgumentError("A compression level is a digit, 0 to 9.");
  return Number(word);
}

/** Classes of commands with commas between, as `info,console`. */
export function parsePermissionsWord(word: string): readonly Permission[] {
  const named = word.split(",").map((name) => {
    const permission = parsePermission(name.trim());
    if (permission !== undefined) return permission;
    throw new InvalidArgumentError(`Permissions are some of ${permissions.join(", ")}.`);
  });
  return sortPermissions(named);
}

/** For options that may be repeated. */
export function repeated<T>(parse: (word: string) => T): (word: string, before: readonly T[] | undefined) => T[] {
  return (word, before) => [...(before ?? []), parse(word)];
}

/** `[name:]device[@sector size]`, as `storage:disk@512`. */
export function parseBlockWord(word: string): BlockAttachment {
  const [, name = "", device, sector] = /^([^:@]+)(?::([^:@]+))?(?:@(\d+))?$/.exec(word) ?? [];
  if (name === "") throw new InvalidArgumentError("It is written NAME[:DEVICE][@SECTOR-SIZE].");
  const label = device === undefined ? undefined : parseDeviceLabel(device);
  return {
    name,
    ...(label === undefined ? {} : { device: label }),
    ...(sector === undefined ? {} : { sectorSize: parsePositiveWord(sector) }),
  };
}

/** `[name:]bridge[@mac]`, as `service:br0@02:00:00:00:00:01`. */
export function parseNetWord(word: string): BridgeAttachment {
  const [, netif = "", bridge, mac] = /^([^:@]+)(?::([^:@]+))?(?:@(.*))?$/.exec(word) ?? [];
  if (netif === "") throw new InvalidArgumentError("It is written [NAME:]BRIDGE[@MAC].");
  return {
    netif,
    ...(bridge === undefined ? {} : { bridge }),
    ...(mac === undefined ? {} : { mac: parseMac(mac) }),
  };
}

/** A time, RFC 3339; a date alone is its midnight, UTC. Milliseconds since the Unix epoch. */
export function parseInstantWord(word: string): number {
  const wellFormed = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d))?$/.test(word);
  const time = wellFormed ? Date.parse(word.replace(" ", "T").toUpperCase()) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new InvalidArgumentError("It must be a time as of RFC 3339, such as 2026-03-12T23:42:15Z or 2026-03-12.");
  }
  return time;
}

/** `host`, `host:port`, `[v6]:port`. */
export function parseDestinationWord(word: string): Destination {
  return parseAddressWord(word);
}

/** The same, with another port where none is said. */
export function parseAddressWord(word: string, standard?: number): Destination {
  const destination = parseDestination(word, standard);
  if (destination === undefined) throw new InvalidArgumentError("It is written HOST[:PORT].");
  return destination;
}

function invalid(error: NameError): InvalidArgumentError {
  return new InvalidArgumentError(escapeText(describeNameError(error)));
}

function parseDeviceLabel(word: string): string {
  const label = parseLabel(word);
  if (!label.ok) throw invalid(label.error);
  return label.value;
}

function parseMac(word: string): Uint8Array {
  if (!/^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i.test(word)) {
    throw new InvalidArgumentError("A MAC address is six pairs of hex digits, such as 02:00:00:00:00:01.");
  }
  return Uint8Array.from(word.split(/[:-]/), (pair) => Number.parseInt(pair, 16));
}
