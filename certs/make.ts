#!/usr/bin/env node
/**
 * Writes the development PKI into `certs/`, or into the directory given.
 *
 * @module
 */
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDevelopment } from "./development.ts";

const [directory = "certs"] = process.argv.slice(2);
for (const [name, text] of makeDevelopment()) {
  const file = join(directory, name);
  rmSync(file, { force: true });
  writeFileSync(file, text);
  if (name.endsWith(".key")) chmodSync(file, 0o600);
}
