import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeKey } from "../../src/x509/keys.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";
import { type Host, openHost } from "../client/lab.ts";
import { delegates, type Holder, hold } from "../service/endpoint_lab.ts";
import { create, readGuest } from "../service/lab.ts";
import { type Said, say, temporaryFolder } from "./terminal.ts";

/** A folder with an image, and what somebody with these certificates needs, nearest first. */
function homeOf(host: Host, chain: readonly [Holder, ...Holder[]]): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "hello.spt"), readGuest("hello.spt"));
  writeFileSync(join(folder, "ca.pem"), encodeCertificates(chain.map(({ certificate }) => certificate.raw)));
  writeFileSync(join(folder, "ca.key"), encodeKey(chain[0].key));
  writeFileSync(join(folder, "cacert.pem"), encodeCertificates([host.pki.root.certificate.raw]));
  return folder;
}

function ask(host: Host, words: string, folder: string): Promise<Said> {
  return say([...words.split(" "), "-d", `127.0.0.1:${host.port}`], folder);
}

const times = / valid \S+ to \S+/g;

test("explain tells level by level why a create would be refused, exits with 117, and nothing was done", async () => {
  const host = await openHost();
  await host.place.ask("alice:web", create(readGuest("hello.spt"), { memory: 100 }));
  const folder = homeOf(host, [host.pki.bob, host.pki.alice]);
  const said = await ask(host, "explain create hello hello.spt --mem 200", folder);
  const reason = "cannot exceed the policy of alice: 256 MB of memory allowed, 100 used, 200 more asked for";
  expect(said.stdout.replace(times, "")).toBe(
    [
      `host [unikernel: alice:bob:hello]: unikernel-create would be refused: ${reason}`,
      "alice: (refuses)",
      "  policy: 2 unikernels 0 CPUids 256 MB memory 64 MB block, bridges: service",
      "  unikernels: 1 of 2 used, 2 after",
      "  MB of memory: 100 of 256 used, 300 after, 44 too many",
      "  MB of block storage: 0 of 64 used, 0 after",
      "alice:bob:",
      "  policy: 2 unikernels 0 CPUids 256 MB memory 64 MB block, bridges: service",
      "  unikernels: 0 of 2 used, 1 after",
      "  MB of memory: 0 of 256 used, 200 after",
      "  MB of block storage: 0 of 64 used, 0 after",
      "what fits: at most 1 unikernel more at alice, at most 156 MB of memory more at alice, at most 64 MB of block storage more at alice",
      "not checked: the image, whether its manifest wants the devices that are given, whether there is a tender for it, whether its MAC addresses are free",
      "",
    ].join("\n"),
  );
  expect([said.status, said.stderr]).toEqual([
    117,
    `error: host [unikernel: alice:bob:hello]: unikernel-create would be refused: ${reason}\n`,
  ]);
  expect((await ask(host, "info", folder)).stdout).toBe("host [unikernel: alice:bob:]: no unikernels\n");
});

test("explain tells what a certificate permits, as JSON wherever --json stands", async () => {
  const host = await openHost();
  const carol = hold({ name: "carol", issuer: host.pki.alice, command: delegates, permissions: ["create"] });
  const folder = homeOf(host, [carol, host.pki.alice]);
  const said = await ask(host, "explain destroy --json web", folder);
  expect(said.status).toBe(117);
  expect(JSON.parse(said.stdout)).toMatchObject({
    name: "alice:carol:web",
    command: "unikernel-destroy",
    wouldBe: "refused",
    refused: {
      kind: "not-permitted",
      text: "the certificate of alice:carol permits create only, and this needs destroy",
      path: "alice:carol",
    },
    levels: [{ path: "alice" }, { path: "alice:carol", permissions: ["create"] }],
    fits: [],
  });
  expect((await ask(host, "explain create web hello.spt", folder)).status).toBe(0);
});

test("explain asks a daemon of this machine, also of policies and consoles", async () => {
  const host = await openHost();
  const folder = homeOf(host, [host.pki.alice]);
  const local = (words: string): Promise<Said> => say([...words.split(" "), "--tmpdir", host.place.tmpdir], folder);
  const { status, stdout } = await local("explain add-policy alice 3 --mem 100 --bridge service");
  expect([status, stdout.split("\n")[0]]).toEqual([0, "host [unikernel: alice:]: policy-add would be done"]);
  expect((await local("policy")).stdout).not.toContain("alice");
  expect((await local("explain console alice:web")).stdout).toContain("not checked: whether there is such a console\n");
  expect((await local("explain create-block alice:disk 4")).status).toBe(0);
  expect((await local("block")).stdout).toBe("host [unikernel: :]: no block devices\n");
  expect((await local("explain destroy alice:web")).stderr).toContain("unikernel alice:web not found\n");
});
