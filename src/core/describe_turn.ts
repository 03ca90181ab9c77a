/**
 * The English of turns: who must wait, make room, or did not stay.
 *
 * @module
 */
import type { TurnRefusal } from "./refusal.ts";
import { unreachable } from "./result.ts";

export function describeTurn(refusal: TurnRefusal): string {
  switch (refusal.kind) {
    case "too-many-downloads":
      return `${refusal.limit} downloads wait for the one before them already, try again later`;
    case "too-many-requests":
      return `${refusal.limit} requests of the same delegate wait for their turn already, try again later`;
    case "made-room":
      return `all ${refusal.limit} connections of this host were taken, and this one made room for another: yours were the most`;
    case "client-gone":
      return "the client was gone before its answer was";
    default:
      return unreachable(refusal);
  }
}
