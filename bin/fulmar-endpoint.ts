#!/usr/bin/env node
/**
 * fulmar-endpoint: TLS for the daemon.
 *
 * @module
 */
import { parseEndpointWords } from "../src/cli/endpoint_options.ts";
import { createLog } from "../src/host/log.ts";
import { startEndpoint } from "../src/service/endpoint.ts";
import { describeEndpointError } from "../src/service/endpoint_describe.ts";

const { quiet, verbose, ip: host, ...files } = parseEndpointWords(process.argv.slice(2));
const log = createLog("fulmar-endpoint", verbose);
if (quiet) log.level = "silent";
const server = await startEndpoint({ ...files, host, log });
if (server.ok) {
  process.stdout.write(`listening on ${host} port ${server.value.port}\n`);
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void server.value.close(grace));
} else {
  process.stderr.write(`fulmar-endpoint: ${describeEndpointError(server.error)}\n`);
  process.exitCode = 1;
}

/** Milliseconds for requests under way once the endpoint is to end. */
const grace = 2000;
