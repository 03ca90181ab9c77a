#!/usr/bin/env node
/**
 * fulmar-endpoint: TLS for the daemon.
 *
 * @module
 */
import { parseEndpointWords } from "../src/cli/endpoint_options.ts";
import { serveUntilSignalled } from "../src/host/activation.ts";
import { createLog } from "../src/host/log.ts";
import { openLogStream } from "../src/host/syslog.ts";
import { isWorker } from "../src/host/tls_workers.ts";
import { describeRunError } from "../src/service/endpoint_describe.ts";
import { runEndpoint } from "../src/service/endpoint_run.ts";

/** Milliseconds for requests under way once the endpoint is to end. */
const grace = 2000;

const { quiet, verbose, syslog, ip: host, limit: limits, ...words } = parseEndpointWords(process.argv.slice(2));
const log = createLog("fulmar-endpoint", verbose, openLogStream("fulmar-endpoint", syslog, words.inetd));
if (quiet) log.level = "silent";
const server = await runEndpoint({ ...words, host, limits, log });
if (server.ok) {
  const { host: bound, port, close } = server.value;
  if (!(isWorker || words.inetd)) process.stdout.write(`listening on ${bound} port ${port}\n`);
  await serveUntilSignalled(log, () => close(isWorker ? grace : 2 * grace));
} else {
  const said = describeRunError(server.error);
  if (words.inetd) log.fatal(server.error, said);
  else process.stderr.write(`fulmar-endpoint: ${said}\n`);
  process.exit(1);
}
