import { expect, test } from "vitest";
import { encodeInflux } from "../../src/codec/influx.ts";
import { decodeWire } from "../../src/codec/wire.ts";
import { type Name, printName } from "../../src/core/name.ts";
import type { Statistics } from "../../src/core/statistics.ts";
import { readLines, unhex } from "./vectors.ts";

interface Recorded {
  readonly frame: string;
  readonly lines: string;
  readonly fullNames: string;
}

function read(frame: string): { readonly name: Name; readonly statistics: Statistics } {
  const wire = decodeWire(unhex(frame).subarray(4));
  if (!wire.ok || wire.value.payload.kind !== "data" || wire.value.payload.data.kind !== "statistics") {
    throw new Error("no statistics");
  }
  return { name: wire.value.header.name, statistics: wire.value.payload.data.statistics };
}

/** When the lines were made: what they call uptime, after the start. */
function timeOf(lines: string, { memory }: Statistics): number {
  const uptime = Number(/uptime=([\d.]+)/.exec(lines)?.[1] ?? 0);
  return (Number(memory?.start.seconds ?? 0) + (memory?.start.microseconds ?? 0) / 1e6 + uptime) * 1000;
}

const recorded = readLines<Recorded>("influx/lines.jsonl").map((one, index) => [index, one] as const);

// Recorded from albatross-influx 2.7.2: test/vector/influx.
test.for(recorded)("encodeInflux writes what albatross-influx sends: %i", ([, { frame, lines, fullNames }]) => {
  const { name, statistics } = read(frame);
  expect(encodeInflux(name.label ?? printName(name), statistics, timeOf(lines, statistics))).toBe(lines);
  expect(encodeInflux(printName(name), statistics, timeOf(fullNames, statistics))).toBe(fullNames);
});

test("encodeInflux lets no text out of its tag", () => {
  const { statistics } = read(recorded[0]?.[1].frame ?? "");
  const [one] = statistics.interfaces;
  const interfaces = ["a b,c=d", "x\nvm y=1", "back\\", ""].map((bridge) => ({ ...one, bridge }));
  const vmm = [{ key: "a\nb c", value: 1n }];
  const lines = encodeInflux("v,m", { ...statistics, interfaces, vmm } as Statistics, 0).split("\n");
  expect(lines.map((line) => line.split(/(?<!\\) /)[0])).toEqual([
    "resource_usage,vm=v\\,m",
    "kinfo_mem,vm=v\\,m",
    "vmm,vm=v\\,m",
    "interface,vm=v\\,m,bridge=a\\ b\\,c\\=d",
    "interface,vm=v\\,m,bridge=x_vm\\ y\\=1",
    "interface,vm=v\\,m,bridge=back_",
    "interface,vm=v\\,m",
    "",
  ]);
  expect(lines[2]).toBe("vmm,vm=v\\,m a_b\\ c=1i");
});
