import { execFileSync } from "node:child_process";
import { expect, test, vi } from "vitest";
import { readProcess } from "../../src/host/proc.ts";
import { Sampler } from "../../src/host/statistics.ts";
import { enterNetworkNamespace } from "./namespace.ts";

vi.setConfig({ testTimeout: 30_000 });

const alone = { skip: !enterNetworkNamespace() };

test("Sampler counts in the network namespace that it is in, and takes no flags from another's", alone, () => {
  execFileSync("ip", ["-batch", "-"], {
    input: "link set lo up\nlink add eth0 type bridge\naddr add 10.9.9.1/24 dev eth0\nlink set eth0 up\n",
  });
  const process_ = readProcess(process.pid) ?? { pid: 0, start: 0 };
  const target = { process: process_, network: [{ bridge: "service", tap: "eth0" }] };
  const sampler = new Sampler();
  const packets = (): bigint => sampler.sample([target])[0]?.interfaces[0]?.outputPackets ?? -1n;
  const before = packets();
  execFileSync("bash", ["-c", "for i in 1 2 3; do echo x > /dev/udp/10.9.9.255/9; done 2>/dev/null || true"]);
  execFileSync("ip", ["neigh", "add", "10.9.9.2", "lladdr", "02:00:00:00:00:01", "dev", "eth0"]);
  execFileSync("bash", ["-c", "for i in 1 2 3; do echo x > /dev/udp/10.9.9.2/9; done"]);
  expect(before).toBeGreaterThanOrEqual(0n);
  expect(packets()).toBeGreaterThanOrEqual(before + 3n);
  expect(sampler.sample([target])[0]?.interfaces).toMatchObject([{ bridge: "service", flags: 0, mtu: 0 }]);
});
