/** Probes in a network namespace with bridges of its own: they reach the guest that they are for, and nobody else. */
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { type Probe, type ProbeFault, parseProbe } from "../../src/core/probe.ts";
import { checkAimed, probe } from "../../src/host/probe.ts";
import { findProgram } from "../x509/vectors.ts";
import { expectOk } from "./folder.ts";
import { enterNetworkNamespace } from "./namespace.ts";
import { standIn } from "./stand_in.ts";

vi.setConfig({ testTimeout: 60_000 });

const own = enterNetworkNamespace() && findProgram("bridge") !== undefined;
const alone = { skip: !own };
const mac = "00:80:41:00:00:02";
const ports = [{ bridge: "br0", mac, tap: "tap2" }];
const long = 20_000;

beforeAll(() => {
  if (!own) return;
  ip("link set lo up");
  ip("link add br0 type bridge");
  ip("address add 10.0.0.1/24 dev br0");
  ip("link set br0 up");
});

function ask(text: string, within: number, words: readonly string[] = []): Promise<ProbeFault | undefined> {
  return probe(read(text), { words, ports }, within, new AbortController().signal);
}

function read(text: string): Probe {
  return expectOk(parseProbe(text));
}

test(
  "probe finds a guest healthy by a connection and by HTTP, at an address that is given or is its own",
  alone,
  async () => {
    const guest = await standIn("tap2", "br0", mac, "10.0.0.2");
    expect(await ask("tcp:10.0.0.2:8080", long)).toBeUndefined();
    expect(await ask("tcp:8080", long)).toBeUndefined();
    expect(await ask("tcp:8080", long, ["--ipv4=10.0.0.2/24"])).toBeUndefined();
    expect(await ask("http://10.0.0.2:8080/ok", long)).toBeUndefined();
    expect(await ask("http://:8080/away", long)).toBeUndefined();
    expect(await ask("http://:8080/sick", 1000)).toEqual({ kind: "probe-status", status: 503 });
    expect(await ask("http://:8080/endless", 1000)).toEqual({ kind: "probe-status", status: 0 });
    expect(await ask("tcp:81", 1000)).toMatchObject({ kind: "probe-unconnected", port: 81, code: "ECONNREFUSED" });
    expect(guest.heard).toContain("/ok");
  },
);

test("probe waits for a guest that is not there yet", alone, async () => {
  const asked = ask("tcp:10.0.0.2:8080", long);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await standIn("tap2", "br0", mac, "10.0.0.2");
  expect(await asked).toBeUndefined();
});

test("probe says nothing to another guest, whichever MAC address it answers with", alone, async () => {
  const other = await standIn("tap3", "br0", "00:80:41:00:00:03", "10.0.0.3");
  const posing = await standIn("tap4", "br0", mac, "10.0.0.4");
  expect(await ask("http://10.0.0.3:8080/ok", 2000)).toEqual({ kind: "probe-foreign", address: "10.0.0.3" });
  expect(await ask("tcp:10.0.0.4:8080", 2000)).toEqual({ kind: "probe-foreign", address: "10.0.0.4" });
  expect([...other.heard, ...posing.heard]).toEqual([]);
});

test("probe says nothing to the host, nor to what is behind it", alone, async () => {
  ip("link add br1 type bridge");
  onTestFinished(() => ip("link delete br1"));
  ip("address add 10.0.1.1/24 dev br1");
  ip("link set br1 up");
  const elsewhere = await standIn("tap5", "br1", "00:80:41:00:00:05", "10.0.1.5");
  ip("route add 192.0.2.0/24 via 10.0.0.2");
  let connections = 0;
  const host = createServer(() => connections++).listen(8080, "0.0.0.0");
  onTestFinished(() => void host.close());
  for (const address of [
    ...["127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "10.0.1.1", "10.0.0.255"],
    ...["10.0.1.5", "192.0.2.1", "198.51.100.1", "224.0.0.1", "255.255.255.255"],
  ]) {
    const fault = { kind: "probe-elsewhere", address, bridges: ["br0"] };
    expect(await ask(`tcp:${address}:8080`, long)).toEqual(fault);
    expect(await checkAimed(read(`http://${address}:8080/`), ["br0"])).toEqual(fault);
  }
  expect([connections, elsewhere.heard]).toEqual([0, []]);
});

test("probe tells who does not answer, and what it does not know", alone, async () => {
  ip("neighbour flush dev br0");
  expect(await ask("tcp:10.0.0.77:8080", 1000)).toEqual({ kind: "probe-unanswered", address: "10.0.0.77" });
  expect(await ask("tcp:8080", 500)).toEqual({ kind: "probe-unaddressed" });
  expect(await checkAimed(read("tcp:8080"), ["br0"])).toBeUndefined();
});

test("probe ends when nobody wants to know any more", alone, async () => {
  const ending = new AbortController();
  const asked = probe(read("tcp:10.0.0.78:1"), { words: [], ports }, 200_000, ending.signal);
  ending.abort();
  expect(await asked).toMatchObject({ kind: "probe-unanswered" });
});

function ip(words: string): void {
  execFileSync("ip", words.split(" "), { stdio: ["ignore", "ignore", "pipe"] });
}
