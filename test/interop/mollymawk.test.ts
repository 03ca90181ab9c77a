/**
 * Clients as mollymawk shapes them: for each request a fresh intermediate that
 * begins 150 s ago and lasts 300 s, without cRLSign, its policy perhaps all
 * zero; a leaf without extendedKeyUsage; images as streams; the answer taken
 * from one read.
 */
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { FrameReader } from "../../src/codec/frame.ts";
import { decodeWire, type Wire } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import type { Policy } from "../../src/core/policy.ts";
import { ask, chunks, dial, type Holder } from "../service/endpoint_lab.ts";
import { forge, type Shape, server, authority as signer } from "../x509/forge.ts";
import { create, hear, type Lab, openLab, spoken } from "./lab.ts";
import { until } from "./place.ts";

const nothing: Policy = { unikernels: 0, cpuids: [], memory: 0, bridges: [] };
const two: Policy = { unikernels: 2, cpuids: [0], memory: 128, block: 8, bridges: [] };
const info: Command = { kind: "unikernel-info", form: "current" };

test("a domain gets its policy with a request for information", { timeout: 60_000 }, async (context) => {
  const lab = await open(context);
  expect(await policies(lab)).toEqual([":"]);
  expect(await hear(lab, chain(lab, "alice", two, ".", info))).toBe("unikernels");
  expect(await hear(lab, chain(lab, "bob", nothing, ".", info))).toBe("unikernels");
  expect(new Set(await policies(lab))).toEqual(new Set([":", "alice: 2", "bob: 0"]));
  expect(await hear(lab, chain(lab, "alice", { ...two, unikernels: 3 }, ".", info))).toBe("unikernels");
  expect(new Set(await policies(lab))).toEqual(new Set([":", "alice: 3", "bob: 0"]));
});

test("an image is streamed, and the answer comes in one piece", { timeout: 60_000 }, async (context) => {
  const lab = await open(context);
  const socket = dial(lab.port, chain(lab, "alice", two, "web", create(undefined)));
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  socket.on("secureConnect", () => {
    for (let at = 0; at < lab.image.length; at += 1000) {
      socket.write(chunks(lab.image.subarray(at, at + 1000)).subarray(0, -4));
    }
    socket.write(chunks());
  });
  await until(() => pieces.length > 0, "an answer");
  socket.destroy();
  expect(read(pieces.slice(0, 1)).map(spoken)).toEqual(["created unikernel"]);
  await lab.place.untilGuests(1);
  expect(await hear(lab, chain(lab, "alice", two, "web", { kind: "unikernel-destroy" }))).toBe("destroyed unikernel");
});

test("a policy of zeros allows nothing, and says so", { timeout: 60_000 }, async (context) => {
  const lab = await open(context);
  expect(await hear(lab, chain(lab, "bob", nothing, "web", create(undefined)), lab.image)).toMatch(
    /^cannot exceed the policy of bob: 0 unikernels allowed/,
  );
  const block: Command = { kind: "block-add", size: 1, form: "current" };
  expect(await hear(lab, chain(lab, "bob", nothing, "disk", block))).toMatch(/policy of bob/);
  expect(await hear(lab, chain(lab, "bob", nothing, ".", { kind: "block-info" }))).toBe("block-devices");
  expect(lab.place.guests()).toBe(0);
});

test("a console is read for as long as somebody listens", { timeout: 60_000 }, async (context) => {
  const lab = await open(context);
  expect(await hear(lab, chain(lab, "alice", two, "web", create(lab.image)))).toBe("created unikernel");
  const subscribe: Command = { kind: "console-subscribe", from: { kind: "count", count: 40 } };
  const socket = dial(lab.port, chain(lab, "alice", two, "web", subscribe));
  onTestFinished(() => {
    socket.destroy();
  });
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  const lines = (): string[] => read(pieces).map(({ payload }) => lineOf(payload));
  await until(() => lines().includes("tick 2"), "tick 2");
  expect(lines()[0]).toBe("subscribed");
  expect(lines()).toContain("arguments: --name=web");
});

type Molly = Lab & { readonly root: Holder };

async function open(context: TestContext): Promise<Molly> {
  const root = forge({ ...signer, ...valid(), name: "root", keyIds: "none" });
  const host = forge({ ...server, ...valid(), name: "server", issuer: root });
  return { ...(await openLab(context, root, host)), root };
}

/** A leaf below a fresh intermediate of the domain. The root is not sent. */
function chain({ root }: Molly, domain: string, policy: Policy, name: string, command: Command): readonly Holder[] {
  // keyUsage: digitalSignature, nonRepudiation, keyCertSign.
  const above = { ca: true, usage: 0xc4, command: { kind: "policy-add", policy } } as const;
  const issuer = forge({ ...above, ...valid(), name: domain, issuer: root });
  return [leaf(issuer, name, command), issuer];
}

function leaf(issuer: Holder, name: string, command: Command): Holder {
  return forge({ ca: false, usage: 0xa0, ...valid(), name, issuer, command });
}

function valid(): Pick<Shape, "notBefore" | "notAfter"> {
  const now = Math.floor(Date.now() / 1000) * 1000;
  return { notBefore: now - 150_000, notAfter: now + 300_000 };
}

/** All policies, as asked for at start by a leaf of the root itself: paths, and unikernels where the path is not the root. */
async function policies(lab: Molly): Promise<readonly string[]> {
  const { payload } = await ask(lab.port, [leaf(lab.root, ".", { kind: "policy-info" })]);
  if (payload.kind !== "success" || payload.success.kind !== "policies") throw new Error(payload.kind);
  return payload.success.policies.map(({ name: { path }, value }) =>
    path.length === 0 ? ":" : `${path.join(":")}: ${value.unikernels}`,
  );
}

function read(pieces: readonly Buffer[]): readonly Wire[] {
  const frames = new FrameReader(1_048_576).push(Buffer.concat(pieces));
  if (!frames.ok) throw new Error(frames.error.kind);
  return frames.value.flatMap((frame) => {
    const wire = decodeWire(frame);
    return wire.ok ? [wire.value] : [];
  });
}

function lineOf(payload: Wire["payload"]): string {
  if (payload.kind === "data" && payload.data.kind === "console") return payload.data.line;
  return payload.kind === "success" && payload.success.kind === "string" ? payload.success.text : payload.kind;
}
