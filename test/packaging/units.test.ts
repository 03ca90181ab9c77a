import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const packaging = join(import.meta.dirname, "../../packaging");
const read = (file: string): string => readFileSync(join(packaging, file), "utf8");

/** What systemd says of a unit's sandbox: 0 is the tightest, 10 none; undefined where it cannot say. */
function exposure(unit: string): number | undefined {
  const words = ["security", "--offline=true", "--no-pager", join(packaging, "systemd", unit)];
  const { stdout, error } = spawnSync("systemd-analyze", words, { encoding: "utf8" });
  const level = error === undefined ? /exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1] : undefined;
  return level === undefined ? undefined : Number(level);
}

test.for([
  ["fulmar-endpoint.service", 1.0],
  ["fulmar-guests.service", 3.0],
  // What its guests cannot do costs the daemon 0.5: it makes namespaces, mounts and cgroups for them.
  ["fulmard.service", 4.6],
] as const)("%s is exposed below %d", ([unit, limit], { skip }) => {
  const level = exposure(unit);
  if (level === undefined) return skip("systemd-analyze is not here");
  expect(level).toBeLessThan(limit);
});

test("a daemon that ends leaves its guests running, in a unit that ends with the machine and no sooner", () => {
  const daemon = read("systemd/fulmard.service");
  for (const line of ["KillMode=process", "OOMPolicy=continue", "Requires=fulmar-guests.service"])
    expect(daemon).toMatch(`\n${line}\n`);
  expect(daemon).toMatch(/^After=.* fulmar-guests\.service$/m);
  expect(daemon).toMatch(/^ExecStart=.* --cgroup system\.slice\/fulmar-guests\.service /m);
  const guests = read("systemd/fulmar-guests.service");
  for (const line of ["Delegate=memory pids cpu cpuset", "OOMPolicy=continue", "TasksMax=infinity"])
    expect(guests).toMatch(`\n${line}\n`);
  expect(guests).toMatch(/^ExecStop=\/usr\/bin\/fulmard .*--stop-guests /m);
});

test("guests inherit no filter that a tender fails at: solo5-spt asks for its personality", () => {
  expect(read("systemd/fulmard.service")).not.toMatch(/^LockPersonality=/m);
});

test("the endpoint is another user than the daemon, in the group of the daemon's sockets, without the host's network", () => {
  const unit = read("systemd/fulmar-endpoint.service");
  for (const line of ["User=fulmar-endpoint", "Group=fulmar", "PrivateNetwork=yes", "CapabilityBoundingSet="]) {
    expect(unit).toMatch(`\n${line}\n`);
  }
  expect(read("sysusers.d/fulmar.conf")).toMatch(/^u fulmar-endpoint - /m);
  expect(read("tmpfiles.d/fulmar.conf")).toMatch(/^d \/run\/fulmar\/util 2755 root fulmar -$/m);
});

test("the endpoint can write nowhere: not even where its key is, nor to temporary files", () => {
  const unit = read("systemd/fulmar-endpoint.service");
  for (const line of ["ProtectSystem=strict", "ProtectHome=yes", "ReadOnlyPaths=%t/fulmar-endpoint"]) {
    expect(unit).toMatch(`\n${line}\n`);
  }
  const hidden = /^InaccessiblePaths=(.*)$/m.exec(unit)?.[1]?.split(" ") ?? [];
  expect(hidden).toEqual(expect.arrayContaining(["-/tmp", "-/var/tmp", "-/dev/shm", "-/var/lib/fulmar"]));
  expect(unit).not.toMatch(/^(ReadWritePaths|StateDirectory|CacheDirectory|LogsDirectory|PrivateTmp)=/m);
});

test("scripts of albatross find the sockets where they look", () => {
  expect(read("tmpfiles.d/fulmar.conf")).toMatch(/^L \/run\/albatross - - - - fulmar$/m);
});
