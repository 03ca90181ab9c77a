/**
 * The English of what was taken back: revoked certificates, stale lists, locks.
 *
 * @module
 */
import { describeTurn } from "./describe_turn.ts";
import { type Path, printPath } from "./name.ts";
import type { Refusal, TrustRefusal, TurnRefusal, Whose } from "./refusal.ts";
import { unreachable } from "./result.ts";

/** @param describe - for the refusal that another one rests on */
export function describeTrust(refusal: TrustRefusal | TurnRefusal, describe: (refusal: Refusal) => string): string {
  switch (refusal.kind) {
    case "certificate-revoked":
      return `the certificate of ${describeWhose(refusal.whose)} (serial number ${refusal.serial}) was revoked at ${printUtc(refusal.time)}, says revocation list ${refusal.number} of ${refusal.issuer}`;
    case "revocations-stale":
      return `revocation list ${refusal.number} of ${refusal.issuer} was good until ${printUtc(refusal.nextUpdate)}: nobody whose certificate ${refusal.issuer} signed is let in before there is a newer one`;
    case "revocations-older":
      return `revocation list ${refusal.number} of ${refusal.issuer} is not newer than number ${refusal.known}, which is in force`;
    case "revocations-foreign":
      return `revocation list of ${refusal.issuer}: it must be by the authority that signed the certificate of who brings it`;
    case "revocations-bad":
      return `the revocation list is not taken: ${refusal.problem}`;
    case "too-many-lists":
      return `there are ${refusal.limit} revocation lists for ${at(refusal.path)} and below already`;
    case "held":
      return `nothing starts at ${at(refusal.path)} and below: ${describe(refusal.why)}`;
    case "locked":
      return `${at(refusal.path)} is locked by ${at(refusal.owner)}`;
    case "locked-above":
      return `${at(refusal.path)} was locked by ${at(refusal.owner)}, and is unlocked there or above`;
    case "lock-not-below":
      return `${at(refusal.path)} is not below the path of who asks, and only that can be locked`;
    case "lock-not-found":
      return `${at(refusal.path)} is not locked`;
    case "lock-too-deep":
      return `the path to lock or unlock has ${refusal.depth} labels, at most ${refusal.limit} are allowed`;
    case "too-many-locks":
      return `${at(refusal.path)} and those below have set ${refusal.limit} locks already`;
    default:
      return describeTurn(refusal);
  }
}

/** RFC 3339, whole seconds. @param time - ms since the Unix epoch */
function printUtc(time: number): string {
  const seconds = Math.floor(time / 1000);
  const day = Math.floor(seconds / secondsPerDay);
  const rest = seconds - day * secondsPerDay;
  const clock = [rest / 3600, (rest / 60) % 60, rest % 60].map((part) => pad(part, 2)).join(":");
  return `${printDate(day)}T${clock}Z`;
}

/**
 * The date in the Gregorian calendar. Years are counted from March, so that a leap day is the last of its year.
 *
 * @param day - since 1 January 1970
 */
function printDate(day: number): string {
  const sinceMarch = day + daysToEpoch;
  const cycle = Math.floor(sinceMarch / daysPerCycle);
  const ofCycle = sinceMarch - cycle * daysPerCycle;
  const leaps = Math.floor(ofCycle / 1460) - Math.floor(ofCycle / 36_524) + Math.floor(ofCycle / 146_096);
  const ofYears = Math.floor((ofCycle - leaps) / 365);
  const ofYear = ofCycle - (365 * ofYears + Math.floor(ofYears / 4) - Math.floor(ofYears / 100));
  const month = Math.floor((5 * ofYear + 2) / 153);
  const date = ofYear - Math.floor((153 * month + 2) / 5) + 1;
  const year = ofYears + 400 * cycle + (month > 9 ? 1 : 0);
  return `${pad(year, 4)}-${pad(month > 9 ? month - 9 : month + 3, 2)}-${pad(date, 2)}`;
}

function describeWhose(whose: Whose): string {
  switch (whose.kind) {
    case "delegate":
      return at(whose.path);
    case "client":
      return "the client";
    case "authority":
      return "an authority above the client";
    default:
      return unreachable(whose);
  }
}

function at(path: Path): string {
  return path.length === 0 ? "the host" : printPath(path);
}

function pad(value: number, width: number): string {
  return String(Math.floor(value)).padStart(width, "0");
}

const secondsPerDay = 86_400;

/** Days of 400 years, and from 1 March of the year 0 to 1 January 1970. */
const daysPerCycle = 146_097;
const daysToEpoch = 719_468;
