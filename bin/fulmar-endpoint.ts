#!/usr/bin/env node
/**
 * fulmar-endpoint: TLS for the daemon.
 *
 * @module
 */
import { Command } from "commander";
import { version } from "../src/core/version.ts";
import { createLog } from "../src/host/log.ts";
import { startEndpoint } from "../src/service/endpoint.ts";
import { describeEndpointError } from "../src/service/endpoint_describe.ts";

const program = new Command("fulmar-endpoint")
  .description("Hand the requests in clients' certificates to fulmard. Files are PEM.")
  .argument("<ca>", "certificate of the authority that clients' chains end at")
  .argument("<cert>", "the endpoint's certificate, and those above it")
  .argument("<key>", "its private key")
  .option("--tmpdir <dir>", "directory of the daemon's sockets", "/run/fulmar")
  .option("--port <number>", "TCP port; 0 takes any that is free", "1025")
  .option("--ip <address>", "address to listen on", "::")
  .version(version)
  .option("-q, --quiet", "log nothing")
  .option("-v, --verbose", "log more; may be repeated", (_, count: number) => count + 1, 0)
  .parse();
const [ca = "", cert = "", key = ""] = program.args;
const { tmpdir, port, ip: host, quiet, verbose } = program.opts();
const log = createLog("fulmar-endpoint", verbose);
if (quiet === true) log.level = "silent";

const server = await startEndpoint({ ca, cert, key, tmpdir, host, port: Number(port), log });
if (server.ok) {
  process.stdout.write(`listening on ${host} port ${server.value.port}\n`);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void server.value.close(grace));
} else {
  process.stderr.write(`fulmar-endpoint: ${describeEndpointError(server.error)}\n`);
  process.exitCode = 1;
}

/** Milliseconds for requests under way once the endpoint is to end. */
const grace = 2000;
