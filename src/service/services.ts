/**
 * What the daemon's sockets have in common: the services behind them, and what
 * the audit log hears of those that the supervisor does not decide.
 *
 * @module
 */
import type { Header } from "../codec/wire.ts";
import type { Command } from "../core/command.ts";
import { type Asked, toldOf } from "../host/audit_ledger.ts";
import type { AuditLog } from "../host/audit_log.ts";
import type { AuditReaders } from "./audit.ts";
import type { Collectors } from "./collector.ts";
import type { Connection } from "./connection.ts";
import type { Consoles } from "./consoles.ts";
import type { EventLog } from "./event_log.ts";
import type { Requests } from "./requests.ts";
import type { Meter } from "./statistics.ts";

export interface Services {
  /** What the supervisor decides. */
  readonly requests: Requests;
  readonly consoles: Consoles;
  readonly events: EventLog;
  readonly meter: Meter;
  readonly collectors: Collectors;
  readonly audit: AuditLog;
  readonly readers: AuditReaders;
}

/** What happens, or what happened; resolves when either side closes. */
export async function tell(
  services: Services,
  connection: Connection,
  header: Header,
  command: Command,
  asked: Asked,
): Promise<void> {
  note(services, connection, asked);
  if (command.kind === "audit") await services.readers.serve(connection, header, command.query);
  else await services.events.serve(connection, header, header.name);
}

/** The next answer goes into the audit log. */
export function note({ audit }: Services, connection: Connection, asked: Asked): void {
  connection.watch((good) => {
    const outcome = good ? ({ kind: "done" } as const) : ({ kind: "refused", reason: "not-served" } as const);
    audit.note(asked.delegate, () => toldOf(asked, outcome));
  });
}
