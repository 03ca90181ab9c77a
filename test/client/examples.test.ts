import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, vi } from "vitest";
import { encodeKey } from "../../src/x509/keys.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";
import { guestTest } from "../service/lab.ts";
import { openHost } from "./lab.ts";

const top = join(import.meta.dirname, "..", "..");
const run = promisify(execFile);

vi.setConfig({ testTimeout: 60_000 });

guestTest("deploy puts a unikernel in place, and replaces it", async (place) => {
  const { port, pki } = await openHost(place);
  writeFileSync(
    join(place.folder, "ca.pem"),
    encodeCertificates([pki.bob, pki.alice].map((one) => one.certificate.raw)),
  );
  writeFileSync(join(place.folder, "ca.key"), encodeKey(pki.bob.key));
  const image = join(top, "guest", `hello.${place.tender}`);
  const deploy = async (...words: readonly string[]): Promise<string> => {
    const script = join(top, "dist/examples/deploy.js");
    const options = { cwd: place.folder };
    const { stdout } = await run(process.execPath, [script, `127.0.0.1:${port}`, "web", image, ...words], options);
    return stdout;
  };
  expect(await deploy("one")).toMatch(/^alice:bob:web: new, image [0-9a-f]{12}\n(.*\n)*arguments: --name=web one\n$/);
  expect(await deploy("two")).toMatch(
    /^alice:bob:web: replaced, image [0-9a-f]{12}\n(.*\n)*arguments: --name=web two\n$/,
  );
});
