#!/usr/bin/env node
/**
 * fulmard: the daemon.
 *
 * @module
 */
import { geteuid } from "node:process";
import { parseDaemonWords } from "../src/cli/daemon_options.ts";
import { createLog } from "../src/host/log.ts";
import { startDaemon } from "../src/service/start.ts";

const words = parseDaemonWords(process.argv.slice(2));
const log = createLog("fulmard", words.verbose);
const cage = words.cage && geteuid?.() === 0;
const daemon = await startDaemon({ ...words, cage, grace: words.grace * 1000, log });
if (daemon.ok) {
  process.stdout.write(`serving ${words.tmpdir}/util/{chain,vmmd,console,stat}.sock\n`);
  const stop = (): void => void daemon.value.stop().then(() => process.exit(0));
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, stop);
} else {
  log.fatal(daemon.error, `cannot start: ${daemon.error.step} failed`);
  process.exitCode = 1;
}
