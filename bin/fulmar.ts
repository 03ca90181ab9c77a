#!/usr/bin/env node
/**
 * fulmar: the client.
 *
 * @module
 */
import { run } from "../src/cli/program.ts";
import { processEnvironment } from "../src/host/client_environment.ts";

process.exitCode = await run(process.argv.slice(2), processEnvironment());
