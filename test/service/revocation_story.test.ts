/** The story of docs/revocation.md, by the programs themselves. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "./caller.ts";
import { portIn, program, run } from "./endpoint_process.ts";
import { openScripted, type Place } from "./lab.ts";

const top = join(import.meta.dirname, "..", "..");
const image = join(top, "guest/hello.spt");

interface Said {
  readonly status: number;
  readonly text: string;
}

/** Runs `fulmar` in the place's folder. */
function fulmar(place: Place, line: string): Promise<Said> {
  const words = [join(top, "dist/bin/fulmar.js"), ...line.split(" ")];
  return new Promise((resolve) => {
    execFile(process.execPath, words, { cwd: place.folder }, (error, stdout, stderr) => {
      resolve({ status: Number(error?.code ?? 0), text: stdout + stderr });
    });
  });
}

async function must(place: Place, ...lines: readonly string[]): Promise<string> {
  let text = "";
  for (const line of lines) {
    const said = await fulmar(place, line);
    if (said.status !== 0) throw new Error(`${line}: ${said.text}`);
    text += said.text;
  }
  return text;
}

test("alice takes bob's delegation back, the root hers, and a lock takes effect at once", {
  timeout: 120_000,
}, async () => {
  const place = openScripted("while :; do sleep 1; done");
  await must(
    place,
    "generate ca issued",
    "add-policy --csr alice 2 --mem 128",
    "sign cacert.pem issued ca.key alice.req",
    "add-policy --csr bob 2 --mem 128",
    "sign alice.pem issued alice.key bob.req",
  );
  const folder = join(place.folder, "lists");
  mkdirSync(folder);
  await place.spawn();
  const files = ["cacert.pem", "server.pem", "server.key"].map((file) => join(place.folder, file));
  const words = [
    "--tmpdir",
    place.tmpdir,
    "--ip",
    "127.0.0.1",
    "--port",
    "0",
    "--workers",
    "2",
    "--crl",
    folder,
    "--allow-root",
  ];
  const endpoint = run([process.execPath, program, ...files, ...words]);
  await until(() => endpoint.said().includes("listening"), "the endpoint serves", 60_000);
  const at = (who: string): string => `-d 127.0.0.1:${portIn(endpoint.said())} --ca ${who}.pem --ca-key ${who}.key`;
  expect(await must(place, `create ${at("bob")} --mem 32 web ${image}`)).toContain("alice:bob:web]: success: created");
  const console = fulmar(place, `console ${at("bob")} web`);

  expect(await must(place, `lock ${at("alice")} bob`)).toContain("success: locked alice:bob");
  expect(await console).toEqual({ status: 117, text: expect.stringContaining("alice:bob is locked by alice") });
  expect(await fulmar(place, `info ${at("bob")}`)).toEqual({
    status: 117,
    text: expect.stringContaining("command failed: alice:bob is locked by alice"),
  });
  expect(await must(place, `locks ${at("alice")}`)).toContain("alice:bob:]: locked by alice: since");
  await must(place, `unlock ${at("alice")} bob`, `info ${at("bob")}`);

  await must(place, "revoke alice.pem issued alice.key bob.pem", `push-crl ${at("alice")} alice.crl`);
  expect(await fulmar(place, `destroy ${at("bob")} web`)).toEqual({
    status: 117,
    text: expect.stringMatching(
      /the certificate of alice:bob \(serial number \S+\) was revoked at \S+Z, says revocation list 1 of alice/,
    ),
  });
  expect(await must(place, `destroy ${at("alice")} web`).catch((error: Error) => error.message)).toContain("not found");

  await must(place, "revoke cacert.pem issued ca.key", `push-crl --tmpdir ${place.tmpdir} ca.crl --ca cacert.pem`);
  await must(place, `info ${at("alice")}`, "revoke cacert.pem issued ca.key alice.pem");
  copyFileSync(join(place.folder, "ca.crl"), join(folder, "ca.crl"));
  const gone = /the certificate of alice \(serial number \S+\) was revoked at \S+Z, says revocation list 2 of ca/;
  await until(async () => gone.test((await fulmar(place, `info ${at("alice")}`)).text), "the folder is read", 60_000);
});
