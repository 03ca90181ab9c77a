import { expect, test } from "vitest";
import { encodePrometheus } from "../../src/codec/prometheus.ts";
import type { Interface, Rusage, Statistics } from "../../src/core/statistics.ts";
import { name } from "../host/folder.ts";

const rusage: Rusage = {
  utime: { seconds: 6n, microseconds: 970_000 },
  stime: { seconds: 0n, microseconds: 20 },
  maxrss: 492n,
  ...{ ixrss: 0n, idrss: 0n, isrss: 0n, minflt: 187n, majflt: 1n, nswap: 0n, inblock: 0n, outblock: 0n },
  ...{ msgsnd: 0n, msgrcv: 0n, nsignals: 0n, nvcsw: 9n, nivcsw: 42n },
};

const service: Interface = {
  bridge: "service",
  ...{ flags: 0x11043, sendLength: 0, maxSendLength: 0, sendDrops: 0, mtu: 1500, baudrate: 0n },
  ...{ inputPackets: 1n, inputErrors: 2n, outputPackets: 8n, outputErrors: 3n, collisions: 0n, inputBytes: 42n },
  ...{ outputBytes: 736n, inputMcast: 0n, outputMcast: 0n, inputDropped: 4n, outputDropped: 5n },
};

const full: Statistics = {
  rusage,
  interfaces: [service],
  memory: {
    ...{ vsize: 46_755_840n, rss: 492n, tsize: 5n, dsize: 2138n, ssize: 2138n, runtime: 0n, cow: 0 },
    start: { seconds: 1_795_324_850n, microseconds: 467_603 },
  },
};

test("encodePrometheus writes one page: every family once, its help, its type, its samples", () => {
  const page = encodePrometheus([{ name: name("alice:web"), value: full }], 4096n);
  expect(page.split("\n").filter((line) => !line.startsWith("# HELP "))).toEqual([
    "# TYPE fulmar_unikernels gauge",
    "fulmar_unikernels 1",
    ...family("cpu_user_seconds_total", "counter", "", "6.970000"),
    ...family("cpu_system_seconds_total", "counter", "", "0.000020"),
    ...family("minor_faults_total", "counter", "", "187"),
    ...family("major_faults_total", "counter", "", "1"),
    ...family("voluntary_switches_total", "counter", "", "9"),
    ...family("involuntary_switches_total", "counter", "", "42"),
    ...family("resident_memory_bytes", "gauge", "", "2015232"),
    ...family("virtual_memory_bytes", "gauge", "", "46755840"),
    ...family("start_time_seconds", "gauge", "", "1795324850.467603"),
    ...family("network_sent_bytes_total", "counter", "service", "42"),
    ...family("network_sent_packets_total", "counter", "service", "1"),
    ...family("network_sent_errors_total", "counter", "service", "2"),
    ...family("network_sent_dropped_total", "counter", "service", "4"),
    ...family("network_received_bytes_total", "counter", "service", "736"),
    ...family("network_received_packets_total", "counter", "service", "8"),
    ...family("network_received_errors_total", "counter", "service", "3"),
    ...family("network_received_dropped_total", "counter", "service", "5"),
    "",
  ]);
  expect(page.match(/^# HELP \S+ \S.*\.$/gm)).toHaveLength(18);
});

test("encodePrometheus without unikernels has no empty families", () => {
  expect(encodePrometheus([], 4096n)).toBe(
    "# HELP fulmar_unikernels Unikernels measured.\n# TYPE fulmar_unikernels gauge\nfulmar_unikernels 0\n",
  );
});

test("encodePrometheus escapes labels, and names no device twice", () => {
  const interfaces = ['a"b\\c\nd\udc80', "twice", "twice"].map((bridge) => ({ ...service, bridge }));
  const page = encodePrometheus([{ name: name(":"), value: { rusage, interfaces } }], 4096n);
  const labels = [...page.matchAll(/^fulmar_unikernel_network_sent_bytes_total(.*) 42$/gm)].map((match) => match[1]);
  expect(labels).toEqual(['{unikernel=":",device="a\\"b\\\\c\\nd\ufffd"}', '{unikernel=":",device="twice"}']);
  expect(page).not.toContain("memory");
});

function family(what: string, type: string, device: string, value: string): readonly string[] {
  const labels = device === "" ? '{unikernel="alice:web"}' : `{unikernel="alice:web",device="${device}"}`;
  return [`# TYPE fulmar_unikernel_${what} ${type}`, `fulmar_unikernel_${what}${labels} ${value}`];
}
