#!/usr/bin/env node
/**
 * fulmard: the daemon.
 *
 * @module
 */
import { geteuid } from "node:process";
import { type AuditVerification, type Migration, parseDaemonWords } from "../src/cli/daemon_options.ts";
import { printVerdict, verdictFailure } from "../src/cli/print_audit.ts";
import { serveUntilSignalled, takeActivated } from "../src/host/activation.ts";
import { createLog } from "../src/host/log.ts";
import { openLogStream } from "../src/host/syslog.ts";
import { describeHostError } from "../src/service/host_describe.ts";
import { exportState, importState } from "../src/service/migrate.ts";
import { describeMigration } from "../src/service/migrate_describe.ts";
import { startDaemon } from "../src/service/start.ts";
import { stopGuests, stopGuestsSignal } from "../src/service/stop_guests.ts";
import { describeVerifyError, verifyAudit } from "../src/service/verify_audit.ts";

const words = parseDaemonWords(process.argv.slice(2));
const log = createLog("fulmard", words.verbose, openLogStream("fulmard", words.syslog, false));
const cage = words.cage && geteuid?.() === 0;
if (words.work?.kind === "verify-audit") await verify(words.work);
else if (words.work !== undefined) await migrate(words.work);
else if (words.stopGuests) await stop();
else await serve();

async function migrate(asked: Migration): Promise<void> {
  const said =
    asked.kind === "import-state"
      ? describeMigration("took", await importState(asked.file, { ...asked, dbdir: words.dbdir }))
      : describeMigration("wrote", await exportState(asked.file, words.dbdir));
  process.stdout.write(said.stdout);
  process.stderr.write(said.stderr);
  process.exitCode = said.status;
}

async function verify({ key, seen }: AuditVerification): Promise<void> {
  const verdict = await verifyAudit(words.dbdir, key, seen);
  if (verdict.ok) process.stdout.write(printVerdict(verdict.value, key !== undefined));
  else process.stderr.write(`fulmard: ${describeVerifyError(verdict.error)}\n`);
  process.exitCode = verdict.ok && verdictFailure(verdict.value) === undefined ? 0 : 1;
}

async function stop(): Promise<void> {
  const stopped = await stopGuests({ ...words, cage, grace: words.grace * 1000, log });
  if (stopped.ok) return;
  log.fatal(stopped.error, `cannot stop the guests: ${describeHostError(stopped.error)}`);
  process.exitCode = 1;
}

async function serve(): Promise<void> {
  const activated = words.systemdSocketActivation ? takeActivated(process.env, process.pid) : [];
  const daemon = await startDaemon({
    ...words,
    limits: words.limit,
    cage,
    grace: words.grace * 1000,
    interval: words.interval * 1000,
    auditSize: words.auditSize * 1024 * 1024,
    revocation: { stale: words.staleCrl, grace: words.crlGrace * 1000, stop: words.onRevocation === "stop" },
    activated,
    log,
  });
  if (daemon.ok) {
    process.stdout.write(`serving ${words.tmpdir}/util/{chain,vmmd,console,stat}.sock\n`);
    await serveUntilSignalled(log, () => daemon.value.stop(), {
      [stopGuestsSignal]: () => daemon.value.stop("stop"),
    });
  } else {
    log.fatal(daemon.error, `cannot start: ${describeHostError(daemon.error.error)}`);
    process.exitCode = 1;
  }
}
