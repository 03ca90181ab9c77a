/**
 * The English of the audit log's check.
 *
 * @module
 */
import { unreachable } from "../core/result.ts";
import type { AuditFault } from "./audit_chain.ts";

export function describeAuditFault(fault: AuditFault): string {
  switch (fault.kind) {
    case "signature-wrong":
      return "the signature of its checkpoint is wrong";
    case "key-differs":
      return `its checkpoint is signed by the key ${fault.signed}, not by ${fault.wanted}`;
    case "missing":
      return `${entries(fault)} missing`;
    case "changed":
      return `${entries(fault)} not what was written: changed, moved or taken away`;
    case "unreadable":
      return `entry ${fault.number} cannot be read`;
    case "unsigned":
      return `${entries(fault)} behind the checkpoint, and nothing vouches for them`;
    case "damaged":
      return `when the daemon started and wrote entry ${fault.number}, the log ended with ${fault.found}; it had left it with ${fault.expected === 0 ? "another end" : fault.expected}`;
    case "seen-differs":
      return `entry ${fault.number} is not the one that was seen: this is another log, or an older copy of it that went on`;
    default:
      return unreachable(fault);
  }
}

function entries({ from, to }: { readonly from: number; readonly to: number }): string {
  return from === to ? `entry ${from} is` : `entries ${from} to ${to} are`;
}
