/**
 * The English of health: why it cannot be asked for, and why it did not show.
 *
 * @module
 */
import { describeTrust } from "./describe_trust.ts";
import type { ProbeFault } from "./probe.ts";
import type { OtherRefusal, Refusal } from "./refusal.ts";
import { unreachable } from "./result.ts";

/** @param describe - for the refusal that another one rests on */
export function describeHealth(refusal: OtherRefusal, describe: (cause: Refusal) => string): string {
  switch (refusal.kind) {
    case "health-too-long":
      return `a unikernel must be healthy within 1 to ${refusal.limit} ms, ${refusal.within} were asked for`;
    case "pattern-bad":
      return `the pattern for a healthy console cannot be read behind its character ${refusal.at}: groups, alternatives and bytes beyond ASCII are not known`;
    case "probe-bad":
      return "health is written console:PATTERN, tcp:PORT, tcp:ADDRESS:PORT or http://ADDRESS:PORT/PATH, with an IPv4 address and no name";
    case "probe-without-bridge":
      return "a unikernel without a network device can be asked nothing over the network: console:PATTERN is for it";
    case "probe-unfit":
      return `its health cannot be found out: ${describeFault(refusal.fault)}`;
    case "unhealthy":
      return refusal.fault === undefined
        ? `it was not healthy within ${refusal.within} ms`
        : `it was not healthy within ${refusal.within} ms: ${describeFault(refusal.fault)}`;
    default:
      return describeTrust(refusal, describe);
  }
}

function describeFault(fault: ProbeFault): string {
  switch (fault.kind) {
    case "probe-unaddressed":
      return "its address is not known, neither from --ipv4= nor from its bridge: it goes into the probe";
    case "probe-elsewhere":
      return `${fault.address} is no address of its own: the host has it itself, or does not reach it directly over bridge ${fault.bridges.join(", ")}`;
    case "probe-unanswered":
      return `nobody answers for ${fault.address} on its bridge`;
    case "probe-foreign":
      return `${fault.address} is no address of its own: another answers for it on its bridge`;
    case "probe-unconnected":
      return `${fault.address} takes no connection on port ${fault.port} (${fault.code})`;
    case "probe-status":
      return fault.status === 0 ? "it answered with what is no HTTP" : `it answered with HTTP status ${fault.status}`;
    default:
      return unreachable(fault);
  }
}
