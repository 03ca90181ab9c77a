import { chmodSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AuditItem } from "../../src/core/audit.ts";
import { createLog } from "../../src/host/log.ts";
import { startEndpoint } from "../../src/service/endpoint.ts";
import { describeRunError } from "../../src/service/endpoint_describe.ts";
import { openHost } from "../client/lab.ts";
import { isRoot } from "../host/folder.ts";
import { until } from "./caller.ts";
import { ask, hold, makePki, openLab } from "./endpoint_lab.ts";
import { program, run, wordsFor } from "./endpoint_process.ts";
import type { Place } from "./lab.ts";

test("fulmar-endpoint does not face the network as root, unless it is told to", { skip: !isRoot }, async () => {
  const lab = await openLab();
  const words = [...wordsFor(lab), "--ip", "127.0.0.1", "--port", "0"];
  const refused = run([process.execPath, program, ...words.filter((word) => word !== "--allow-root")]);
  expect(await refused.ended).toEqual([1, null]);
  expect(refused.said()).toMatch(/^fulmar-endpoint: as root it will not face the network.*--allow-root\n$/);
  const told = run([process.execPath, program, ...words]);
  await until(() => told.said().includes("listening"), "it serves", 20_000);
});

test("the endpoint does not serve with a private key that others can read, and says what to do", async () => {
  const { dir } = await openLab();
  const [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map((file) => join(dir, file));
  chmodSync(key ?? "", 0o644);
  const log = createLog("endpoint", 0, { write: () => undefined });
  const files = { ca: ca ?? "", cert: cert ?? "", key: key ?? "" };
  const started = await startEndpoint({ ...files, tmpdir: dir, host: "127.0.0.1", port: 0, log });
  expect(started.ok ? "" : describeRunError(started.error)).toBe(
    `${key} has mode 0644, so that others can read the private key: chmod 0400 ${key}`,
  );
});

async function audited(place: Place): Promise<readonly AuditItem[]> {
  const caller = await place.call("vmmd");
  caller.say(":", { kind: "command", command: { kind: "audit", query: { outcome: "refused", proof: false } } });
  const items: AuditItem[] = [];
  for (;;) {
    const { payload } = await caller.next();
    if (payload.kind !== "data" || payload.data.kind !== "audit") return items;
    items.push(payload.data.item);
  }
}

test("what the endpoint refuses before there is a chain is in the daemon's audit log, with the address", async () => {
  const { place, port, pki } = await openHost();
  const stranger = makePki();
  const leaf = hold({ profile: "client", name: "x", issuer: stranger.alice, command: { kind: "status" } });
  expect((await ask(port, [leaf, stranger.alice])).payload.kind).toBe("failure");
  const bad = hold({ profile: "client", name: "x", issuer: pki.alice, command: { kind: "policy-remove" } });
  expect((await ask(port, [bad, pki.alice])).payload.kind).toBe("failure");
  let found: readonly AuditItem[] = [];
  await until(async () => {
    found = await audited(place);
    return found.length >= 2;
  }, "both are there");
  const actor = { kind: "endpoint", address: "127.0.0.1" };
  expect(found.map((item) => (item.kind === "entry" ? item.entry : item))).toMatchObject([
    { actor, name: { path: [] }, outcome: { kind: "refused", reason: "path" } },
    { actor, name: { path: ["alice"], label: "x" }, outcome: { kind: "refused", reason: "authority" } },
  ]);
});
