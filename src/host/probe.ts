/**
 * Asking a unikernel over the network whether it is healthy: with one
 * connection, perhaps one HTTP request on it, to an address that was found to be
 * its own (core/probe) just before, and once more before anything is said.
 *
 * Until the address is found to be its own, nothing but ARP asks for it.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  aim,
  checkLink,
  checkNeighbour,
  type Neighbour,
  type Port,
  type Probe,
  type ProbeFault,
} from "../core/probe.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Incarnation } from "../core/state.ts";
import { printMac } from "../core/tender.ts";
import { run } from "./run.ts";

/** A unikernel that runs, as a probe finds it. */
export interface Probed {
  /** Its arguments. */
  readonly words: readonly string[];
  readonly ports: readonly Port[];
}

/** @param taps - in the order of the incarnation's network devices */
export function probedOf({ config, devices }: Incarnation, taps: readonly string[]): Probed {
  const nets = devices.flatMap((device) => (device.kind === "net" ? [device] : []));
  const ports = nets.map(({ bridge, mac }, index) => ({ bridge, mac: printMac(mac), tap: taps[index] ?? "" }));
  return { words: config.arguments ?? [], ports };
}

/**
 * Asks until the answer is a good one, or the time is over.
 *
 * @param within - milliseconds
 * @param signal - nobody wants to know any more
 * @returns what the last one came to, where none was good
 */
export async function probe(
  asked: Probe,
  probed: Probed,
  within: number,
  signal: AbortSignal,
): Promise<ProbeFault | undefined> {
  const end = performance.now() + within;
  for (let pause = firstPause; ; pause = Math.min(2 * pause, lastPause)) {
    const left = Math.max(1, end - performance.now());
    const fault = await probeOnce(asked, probed, Math.min(left, patience));
    const hopeless = fault?.kind === "probe-elsewhere";
    if (fault === undefined || hopeless || signal.aborted || performance.now() + pause >= end) return fault;
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}

/** Why an address can be none of a unikernel on these bridges, told before it runs. */
export async function checkAimed({ address }: Probe, bridges: readonly string[]): Promise<ProbeFault | undefined> {
  if (address === undefined) return undefined;
  const link = checkLink(address, bridges, await linkTo(address));
  return link.ok ? undefined : link.error;
}

async function probeOnce(asked: Probe, probed: Probed, patient: number): Promise<ProbeFault | undefined> {
  const { words, ports } = probed;
  const aimed = aim(asked, words, ports, readNeighbours());
  if (!aimed.ok) return aimed.error;
  const address = aimed.value;
  const bridges = ports.map(({ bridge }) => bridge);
  const link = checkLink(address, bridges, await linkTo(address));
  if (!link.ok) return link.error;
  const before = await checkOwn(address, ports, link.value);
  if (!before.ok) {
    await resolve(address, link.value);
    return before.error;
  }
  return ask(asked, address, patient, async () => {
    const still = await checkOwn(address, ports, link.value);
    return still.ok ? undefined : still.error;
  });
}

/** Whether the address is the unikernel's, by who answers for it, and by where the bridge sends what is for that one. */
async function checkOwn(address: string, ports: readonly Port[], link: string): Promise<Result<void, ProbeFault>> {
  const port = checkNeighbour(address, ports, link, readNeighbours());
  if (!port.ok) return port;
  const { bridge, mac, tap } = port.value;
  const behind = await run(["bridge", "fdb", "get", mac, "br", bridge], { timeout: helperTime });
  const found = behind.ok ? /\bdev (\S+)/.exec(behind.value)?.[1] : undefined;
  return found === tap ? ok(undefined) : err({ kind: "probe-foreign", address });
}

/** Over which link the host sends to an address, without a gateway; undefined for the host's own, and for any other. */
async function linkTo(address: string): Promise<string | undefined> {
  const route = await run(["ip", "-4", "-o", "route", "get", address], { timeout: helperTime });
  if (!route.ok) return undefined;
  // What is not a neighbour's begins with another word, or goes on with `via`.
  const [first, dev, link] = route.value.trim().split(/\s+/);
  return first === address && dev === "dev" ? link : undefined;
}

/** Has the kernel ask who answers for an address; sends nothing to it. */
async function resolve(address: string, link: string): Promise<void> {
  const words = ["ip", "neighbour", "replace", address, "dev", link, "nud", "none", "use"];
  await run(words, { timeout: helperTime });
}

/** Those who have answered, in the network namespace that we are in. */
function readNeighbours(): readonly Neighbour[] {
  const lines = readFileSync("/proc/self/net/arp", "latin1").split("\n").slice(1);
  return lines.flatMap((line) => {
    const [address, , flags, mac, , link] = line.trim().split(/\s+/);
    const complete = (Number(flags) & completed) !== 0;
    return complete && address && mac && link ? [{ address, mac, link }] : [];
  });
}

/** @param check - once connected, and before a word is sent */
function ask(
  { port, target }: Probe,
  address: string,
  patient: number,
  check: () => Promise<ProbeFault | undefined>,
): Promise<ProbeFault | undefined> {
  return new Promise((settle) => {
    const socket = connect({ host: address, port });
    const late = setTimeout(() => end(unconnected("ETIMEDOUT")), patient);
    const unconnected = (code: string): ProbeFault => ({ kind: "probe-unconnected", address, port, code });
    const end = (fault: ProbeFault | undefined): void => {
      clearTimeout(late);
      socket.destroy();
      settle(fault);
    };
    socket.on("error", (error: NodeJS.ErrnoException) => end(unconnected(error.code ?? "")));
    socket.on("connect", () => {
      void check().then((fault) => {
        if (fault !== undefined || target === undefined) end(fault);
        else request(socket, `${address}:${port}`, target, end);
      });
    });
  });
}

/** One request; of the answer only the first line is read. */
function request(socket: Socket, host: string, target: string, end: (fault: ProbeFault | undefined) => void): void {
  let answer = "";
  const judge = (): void => {
    const status = Number(/^HTTP\/1\.[01] (\d{3})\b/.exec(answer)?.[1] ?? 0);
    end(status >= 200 && status < 400 ? undefined : { kind: "probe-status", status });
  };
  socket.on("data", (piece: Buffer) => {
    answer += piece.toString("latin1", 0, longestAnswer);
    if (answer.includes("\n") || answer.length >= longestAnswer) judge();
  });
  socket.on("end", judge);
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: fulmar\r\nConnection: close\r\n\r\n`);
}

/** ATF_COM of linux/if_arp.h. */
const completed = 0x02;

/** Milliseconds from one probe to the next: at first a unikernel's start, then some work for the host. */
const firstPause = 100;
const lastPause = 2000;

/** Milliseconds for one probe: a unikernel on its host answers in a few. */
const patience = 5000;

/** Milliseconds for `ip` and `bridge`, which need 3. */
const helperTime = 5000;

/** Bytes: a status line is far shorter. */
const longestAnswer = 1024;
