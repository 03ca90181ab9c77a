import { expect, test } from "vitest";
import { describeHostError } from "../../src/service/host_describe.ts";

test("describeHostError says who is in the way, and what to do", () => {
  expect(describeHostError({ kind: "store-locked", path: "/var/lib/fulmar/store/daemon.lock", pid: 7 })).toBe(
    "a daemon has this folder (process 7): stop it first",
  );
  expect(describeHostError({ kind: "socket-in-use", path: "/run/fulmar/util/vmmd.sock" })).toBe(
    "a daemon answers at /run/fulmar/util/vmmd.sock already: stop it, or choose another --tmpdir",
  );
  expect(describeHostError({ kind: "folder-closed", path: "/root" })).toBe(
    "/root is closed to guests, which are other users: chmod o+x /root",
  );
});

test("describeHostError tells reasons of the system in words, and those without words by their code", () => {
  const failed = { kind: "io-failed", action: "create", path: "/var/lib/fulmar" } as const;
  expect(describeHostError({ ...failed, code: "EACCES" })).toBe("cannot create /var/lib/fulmar: no permission");
  expect(describeHostError({ ...failed, code: "EROFS" })).toBe("cannot create /var/lib/fulmar: EROFS");
});
