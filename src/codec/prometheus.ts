/**
 * Statistics as Prometheus reads them (text format 0.0.4): base units, and
 * every unikernel under its full name.
 *
 * @module
 */
import type { Named } from "../core/command.ts";
import { printName } from "../core/name.ts";
import type { Interface, KinfoMem, Rusage, Statistics, Timeval } from "../core/statistics.ts";

/**
 * The whole page.
 *
 * @param samples - each name once
 * @param pageSize - bytes
 */
export function encodePrometheus(samples: readonly Named<Statistics>[], pageSize: bigint): string {
  const units = samples.map(({ name, value }) => ({ labels: { unikernel: printName(name) }, value }));
  const processes = processFamilies.map((family) =>
    encodeFamily(
      family,
      units.map(({ labels, value }) => [labels, family.value(value.rusage, pageSize)]),
    ),
  );
  const memories = memoryFamilies.map((family) =>
    encodeFamily(
      family,
      units.flatMap(({ labels, value }) =>
        value.memory === undefined ? [] : [[labels, family.value(value.memory, pageSize)] as const],
      ),
    ),
  );
  const interfaces = interfaceFamilies.map((family) =>
    encodeFamily(
      family,
      units.flatMap(({ labels, value }) =>
        numbered(value.interfaces).map(
          ([device, one]) => [{ ...labels, device }, family.value(one, pageSize)] as const,
        ),
      ),
    ),
  );
  const count = encodeFamily(countFamily, [[{}, String(samples.length)]]);
  return [count, ...processes, ...memories, ...interfaces].join("");
}

type Labels = Readonly<Record<string, string>>;

interface Head {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
}

interface Family<T> extends Head {
  readonly value: (of: T, pageSize: bigint) => string;
}

/** The devices with their interfaces; one name for two of them would be an error in the page. */
function numbered(interfaces: readonly Interface[]): readonly (readonly [string, Interface])[] {
  return [...new Map(interfaces.map((one) => [one.bridge, one]))];
}

function encodeFamily({ name, type, help }: Head, lines: readonly (readonly [Labels, string])[]): string {
  if (lines.length === 0) return "";
  const head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  return head + lines.map(([labels, value]) => `${name}${encodeLabels(labels)} ${value}\n`).join("");
}

function encodeLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Bytes that are no UTF-8 (codec/text) cannot be said. */
function escapeLabel(text: string): string {
  return text
    .replace(/\p{Cs}/gu, "\ufffd")
    .replace(/[\\"]/g, (character) => `\\${character}`)
    .replaceAll("\n", "\\n");
}

function seconds({ seconds: whole, microseconds }: Timeval): string {
  return `${whole}.${String(microseconds).padStart(6, "0")}`;
}

const countFamily: Head = { name: "fulmar_unikernels", type: "gauge", help: "Unikernels measured." };

const processFamilies: readonly Family<Rusage>[] = [
  counter("cpu_user_seconds_total", "CPU time of the tender and its guest.", (usage) => seconds(usage.utime)),
  counter("cpu_system_seconds_total", "CPU time in the kernel.", (usage) => seconds(usage.stime)),
  counter("minor_faults_total", "Page faults without I/O.", (usage) => `${usage.minflt}`),
  counter("major_faults_total", "Page faults with I/O.", (usage) => `${usage.majflt}`),
  counter("voluntary_switches_total", "Context switches while waiting.", (usage) => `${usage.nvcsw}`),
  counter("involuntary_switches_total", "Context switches while running.", (usage) => `${usage.nivcsw}`),
];

const memoryFamilies: readonly Family<KinfoMem>[] = [
  gauge("resident_memory_bytes", "Memory in use.", (memory, pageSize) => `${memory.rss * pageSize}`),
  gauge("virtual_memory_bytes", "Address space.", (memory) => `${memory.vsize}`),
  gauge("start_time_seconds", "Start, since the Unix epoch.", (memory) => seconds(memory.start)),
];

const interfaceFamilies: readonly Family<Interface>[] = [
  counter("network_sent_bytes_total", "Bytes that the guest sent.", (one) => `${one.inputBytes}`),
  counter("network_sent_packets_total", "Packets that the guest sent.", (one) => `${one.inputPackets}`),
  counter("network_sent_errors_total", "Errors in what the guest sent.", (one) => `${one.inputErrors}`),
  counter("network_sent_dropped_total", "Packets of the guest that were dropped.", (one) => `${one.inputDropped}`),
  counter("network_received_bytes_total", "Bytes sent to the guest.", (one) => `${one.outputBytes}`),
  counter("network_received_packets_total", "Packets sent to the guest.", (one) => `${one.outputPackets}`),
  counter("network_received_errors_total", "Errors in what was sent to the guest.", (one) => `${one.outputErrors}`),
  counter("network_received_dropped_total", "Packets to the guest that were dropped.", (one) => `${one.outputDropped}`),
];

function counter<T>(name: string, help: string, value: Family<T>["value"]): Family<T> {
  return { name: `fulmar_unikernel_${name}`, type: "counter", help, value };
}

function gauge<T>(name: string, help: string, value: Family<T>["value"]): Family<T> {
  return { name: `fulmar_unikernel_${name}`, type: "gauge", help, value };
}
