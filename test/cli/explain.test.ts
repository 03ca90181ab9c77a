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

/** A chain of alice, of whom nothing more is permitted, bob, and what he asks for; alice.pem may be made to be over. */
async function makeChain(ask: string, permit = "info,create"): Promise<string> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "hello.spt"), readGuest("hello.spt"));
  for (const line of [
    "generate ca db",
    `add-policy --csr alice 2 --mem 128 --bridge service --permit ${permit}`,
    "sign cacert.pem db ca.key alice.req",
    "add-policy --csr bob 2 --mem 64 --bridge service",
    "sign alice.pem db alice.key bob.req",
    ask,
    "sign bob.pem db bob.key hello.req",
  ]) {
    const { status, stderr } = await say(line.split(" "), folder);
    if (status !== 0) throw new Error(`${line}: ${stderr}`);
  }
  return folder;
}

const explainChain = "explain --chain hello.pem".split(" ");

test("explain tells from files what each certificate says and what would be decided, but for what is used", async () => {
  const folder = await makeChain("create --csr hello hello.spt --mem 64");
  const { status, stdout, stderr } = await say(explainChain, folder);
  expect([status, stderr]).toEqual([0, ""]);
  const lines = stdout.replace(times, "").split("\n");
  expect(lines[0]).toBe("certificate 1: /CN=hello");
  expect(lines[1]).toMatch(/^ {2}unikernel create .* 64 MB memory/);
  expect(lines.slice(2)).toEqual([
    "certificate 2: /CN=bob",
    "  policy add policy: 2 unikernels 0 CPUids 64 MB memory no block, bridges: service",
    "certificate 3: /CN=alice",
    "  policy add policy: 2 unikernels 0 CPUids 128 MB memory no block, bridges: service",
    "  permits info, create only",
    "the authority: /CN=ca",
    "host [unikernel: alice:bob:hello]: unikernel-create would be done",
    "alice:",
    "  policy: 2 unikernels 0 CPUids 128 MB memory no block, bridges: service",
    "  permits info, create only",
    "alice:bob:",
    "  policy: 2 unikernels 0 CPUids 64 MB memory no block, bridges: service",
    expect.stringMatching(/^not checked: what is used, exists, is locked or revoked, which only the server knows, /),
    "",
  ]);
});

test("explain tells from files that a chain is not permitted its command, or is over", async () => {
  const folder = await makeChain("destroy --csr hello", "info,destroy");
  expect((await say(explainChain, folder)).status).toBe(0);
  const late = await say([...explainChain, "--json"], folder, Date.now() + 2 * 86_400_000);
  expect([late.status, JSON.parse(late.stdout).refused.kind]).toEqual([116, "chain"]);
  expect(late.stderr).toMatch(
    /^error: a server would not take these certificates: certificate 1 \(hello\) was valid until /,
  );
  expect((await say(explainChain, folder, Date.now() + 400 * 86_400_000)).stdout).toMatch(/CN=alice .*\(expired\)\n/);
  const wrong = await say("explain --chain bob.pem".split(" "), folder);
  expect(wrong.stderr).toContain("the first certificate is an authority's, a command needs one of its own\n");
});

test("124: explain of nothing", async () => {
  expect((await say(["explain"], temporaryFolder())).stderr).toBe(
    "error: there is nothing to explain\nhint: give a command behind it, or certificates with --chain\n",
  );
});
