/**
 * Probes: what a unikernel is asked over the network to show that it is
 * healthy, and whom it may be asked of.
 *
 * Invariant: a probe reaches the unikernel and nobody else, whoever chose its
 * address. The host would send to it straight over one of the unikernel's own
 * bridges, whoever answers for it there has the MAC address of the unikernel's
 * device, and the bridge has seen that address behind the unikernel's own tap.
 *
 * @module
 */
import type { Refusal } from "./refusal.ts";
import { err, ok, type Result } from "./result.ts";

export interface Probe {
  /** IPv4; absent: the unikernel's own, from its arguments or as its bridge knows it. */
  readonly address?: string;
  readonly port: number;
  /** Of an HTTP request; absent: that it takes a connection is enough. */
  readonly target?: string;
}

/** Where a unikernel is on a bridge. */
export interface Port {
  readonly bridge: string;
  /** As `printMac` has it. */
  readonly mac: string;
  readonly tap: string;
}

/** Who answers for an address on a link of the host. */
export interface Neighbour {
  readonly address: string;
  readonly link: string;
  /** As `printMac` has it. */
  readonly mac: string;
}

/** Why a probe was not sent, or what came of it. */
export type ProbeFault =
  /** Neither its arguments nor its bridges tell what its address is. */
  | { readonly kind: "probe-unaddressed" }
  /** The host has it itself, or does not send to it straight over one of these. */
  | { readonly kind: "probe-elsewhere"; readonly address: string; readonly bridges: readonly string[] }
  | { readonly kind: "probe-unanswered"; readonly address: string }
  | { readonly kind: "probe-foreign"; readonly address: string }
  /** `code` is the host's own. */
  | { readonly kind: "probe-unconnected"; readonly address: string; readonly port: number; readonly code: string }
  /** Zero where what came is no HTTP. */
  | { readonly kind: "probe-status"; readonly status: number };

/** Reads `tcp:PORT`, `tcp:ADDRESS:PORT` or `http://ADDRESS:PORT/PATH`, whose address and port may be left out. */
export function parseProbe(text: string): Result<Probe, Refusal> {
  const [, tcpAddress, tcpPort] = /^tcp:(?:([\d.]+):)?(\d{1,5})$/.exec(text) ?? [];
  const [, httpAddress, httpPort = "80", target = "/"] =
    /^http:\/\/([\d.]*)(?::(\d{1,5}))?(\/[!-"$-~]*)?$/.exec(text) ?? [];
  const address = tcpPort === undefined ? httpAddress : (tcpAddress ?? "");
  const port = Number(tcpPort ?? httpPort);
  const fine = address !== undefined && (address === "" || isAddress(address));
  if (!fine || port < 1 || port > maxPort || text.length > maxProbe) return err({ kind: "probe-bad" });
  return ok({
    port,
    ...(address === "" ? {} : { address }),
    ...(tcpPort === undefined ? { target } : {}),
  });
}

/** The address that is asked. */
export function aim(
  probe: Probe,
  words: readonly string[],
  ports: readonly Port[],
  neighbours: readonly Neighbour[],
): Result<string, ProbeFault> {
  const given = words.flatMap((word) => /^--ipv4=([\d.]+)(?:\/\d+)?$/.exec(word)?.[1] ?? []).find(isAddress);
  const known = neighbours.find(({ link, mac }) => portOn(ports, link, mac) !== undefined)?.address;
  const address = probe.address ?? given ?? known;
  return address === undefined ? err({ kind: "probe-unaddressed" }) : ok(address);
}

/**
 * Whether the host sends to an address straight over one of these bridges.
 *
 * @param link - over which it does; absent where the address is its own, or behind a gateway
 */
export function checkLink(
  address: string,
  bridges: readonly string[],
  link: string | undefined,
): Result<string, ProbeFault> {
  return link !== undefined && bridges.includes(link) ? ok(link) : err({ kind: "probe-elsewhere", address, bridges });
}

/** The unikernel's port that an address is behind, by who answers for it on the link. */
export function checkNeighbour(
  address: string,
  ports: readonly Port[],
  link: string,
  neighbours: readonly Neighbour[],
): Result<Port, ProbeFault> {
  const answers = neighbours.find((one) => one.address === address && one.link === link);
  if (answers === undefined) return err({ kind: "probe-unanswered", address });
  const port = portOn(ports, link, answers.mac);
  return port === undefined ? err({ kind: "probe-foreign", address }) : ok(port);
}

function portOn(ports: readonly Port[], link: string, mac: string): Port | undefined {
  return ports.find((port) => port.bridge === link && port.mac === mac);
}

/** Four numbers, each spelled in one way only: some libraries take `010` for 8. */
function isAddress(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

const maxPort = 65_535;

/** Characters: what is asked for leaves in one segment. */
const maxProbe = 512;
