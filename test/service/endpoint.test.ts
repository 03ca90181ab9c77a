import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { encodeFrame } from "../../src/codec/frame.ts";
import { encodeWire } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import { certificateId } from "../../src/x509/certificate_id.ts";
import { keyTypes } from "../../src/x509/keys.ts";
import {
  type Asked,
  ask,
  chunks,
  converse,
  create,
  dial,
  hold,
  makePki,
  openLab,
  reply,
  until,
} from "./endpoint_lab.ts";

const info: Command = { kind: "unikernel-info", form: "current" };

/** Once so many bytes are there behind the request. */
function onBehind(it: Asked, socket: Socket, length: number, act: () => void): void {
  const check = (): void => {
    if (it.behind().length < length) return;
    socket.off("data", check);
    act();
  };
  socket.on("data", check);
  check();
}

test("a chain of three arrives as one request with its levels, label and command", async () => {
  const { port, pki, asked } = await openLab();
  const leaf = hold({ profile: "client", name: "Hello", issuer: pki.bob, command: info });
  const answer = await ask(port, [leaf, pki.bob, pki.alice]);
  expect(answer.payload).toEqual({ kind: "success", success: { kind: "string", text: "done" } });
  expect(answer.header).toEqual({ version: 5, sequence: 0n, name: { path: ["alice", "bob"], label: "hello" } });
  expect(asked).toHaveLength(1);
  expect(asked[0]?.wire.header).toEqual(answer.header);
  const { levels, ...rest } = asked[0]?.request ?? { levels: [] };
  expect(levels.map(({ label }) => label)).toEqual(["alice", "bob"]);
  expect(levels.map(({ fingerprint }) => Buffer.from(fingerprint))).toEqual(
    [pki.alice, pki.bob].map(({ certificate }) => Buffer.from(certificate.fingerprint)),
  );
  expect(rest).toEqual({
    label: "hello",
    command: info,
    expires: Math.min(leaf.certificate.notAfter, pki.root.certificate.notAfter),
    leaf: Buffer.from(leaf.certificate.fingerprint),
    imageFollows: false,
    certificates: [certificateId(leaf.certificate, pki.bob.certificate)],
  });
  expect(levels.map(({ certificate }) => certificate)).toEqual([
    certificateId(pki.alice.certificate, pki.root.certificate),
    certificateId(pki.bob.certificate, pki.alice.certificate),
  ]);
});

test("a chain that repeats a certificate and ends with the anchor is the same request", async () => {
  const { port, pki, asked } = await openLab();
  const leaf = hold({ profile: "client", name: "hello", issuer: pki.alice, command: info });
  await ask(port, [leaf, pki.alice, leaf, pki.alice, pki.root]);
  expect(asked[0]?.wire.header.name).toEqual({ path: ["alice"], label: "hello" });
});

test("an image in the certificate is moved behind the request's frame", async () => {
  const image = randomBytes(60_000);
  const { port, pki, asked } = await openLab({
    answer: (it, socket) => onBehind(it, socket, image.length + 8, () => socket.end(reply(it, "created"))),
  });
  const leaf = hold({ profile: "client", name: "hello", issuer: pki.alice, command: create(image) });
  const answer = await ask(port, [leaf, pki.alice]);
  expect(answer.payload).toMatchObject({ success: { text: "created" } });
  expect(asked[0]?.request).toMatchObject({ imageFollows: true, command: { image: { compressed: true } } });
  expect(asked[0]?.request.command).toMatchObject({ image: { bytes: { length: 0 } } });
  expect(asked[0]?.behind().equals(chunks(image))).toBe(true);
});

test.for([
  ["a create without an image", create(new Uint8Array(0))],
  ["a block set", { kind: "block-set", compressed: false }],
] as const)("the upload behind %s goes to the daemon up to its end, and nothing after it", async ([, command]) => {
  const upload = chunks(randomBytes(300_000), randomBytes(1), randomBytes(70_000));
  const { port, pki, asked } = await openLab({
    answer: (it, socket) =>
      onBehind(it, socket, upload.length, () => setTimeout(() => socket.end(reply(it, "taken")), 50)),
  });
  const leaf = hold({ profile: "client", name: "store", issuer: pki.alice, command });
  const forged = encodeFrame(
    encodeWire({
      header: { version: 5, sequence: 0n, name: { path: [] } },
      payload: {
        kind: "command",
        command: { kind: "unikernel-destroy" },
      },
    }),
  );
  const answer = await ask(port, [leaf, pki.alice], Buffer.concat([upload, forged]));
  expect(answer.payload).toMatchObject({ success: { text: "taken" } });
  expect(asked[0]?.request.imageFollows).toBe(command.kind === "unikernel-create");
  expect(asked[0]?.behind().equals(upload)).toBe(true);
});

test("a 30 MB upload to a slow daemon arrives whole", async () => {
  const upload = chunks(...Array.from({ length: 30 }, () => randomBytes(1_000_000)));
  let taken = 0;
  const { port, pki } = await openLab({
    answer: (it, socket) => {
      taken += it.behind().length;
      socket.removeAllListeners("data");
      socket.on("data", (piece: Buffer) => {
        taken += piece.length;
        socket.pause();
        setTimeout(() => socket.resume(), 1);
        if (taken === upload.length) socket.end(reply(it, "taken"));
      });
    },
  });
  const leaf = hold({
    profile: "client",
    name: "store",
    issuer: pki.alice,
    command: { kind: "block-set", compressed: false },
  });
  const answer = await ask(port, [leaf, pki.alice], upload);
  expect(answer.payload).toMatchObject({ success: { text: "taken" } });
  expect(taken).toBe(upload.length);
});

test("an upload that is refused in its middle ends with the daemon's reply", async () => {
  const { port, pki } = await openLab({
    answer: (it, socket) => socket.end(reply(it, "too large")),
  });
  const leaf = hold({
    profile: "client",
    name: "store",
    issuer: pki.alice,
    command: { kind: "block-set", compressed: false },
  });
  const answer = await ask(port, [leaf, pki.alice], chunks(randomBytes(5_000_000)).subarray(0, 4_000_000));
  expect(answer.payload).toMatchObject({ success: { text: "too large" } });
});

test("an upload whose client stops in the middle ends at the daemon, too", async () => {
  let ended = false;
  const { port, pki } = await openLab({
    answer: (it, socket) =>
      socket.on("end", () => {
        ended = true;
        socket.end(reply(it, "broken"));
      }),
  });
  const leaf = hold({
    profile: "client",
    name: "store",
    issuer: pki.alice,
    command: { kind: "block-set", compressed: false },
  });
  const socket = dial(port, [leaf, pki.alice], {});
  socket.once("secureConnect", () => socket.end(chunks(randomBytes(1000)).subarray(0, 500)));
  await converse(socket);
  await until(() => ended, "the daemon sees the end");
});

test("a reply of many messages comes byte for byte", async () => {
  const { port, pki } = await openLab({
    answer: (it, socket) => {
      for (let n = 0; n < 1000; n++) socket.write(reply(it, `line ${n} ${"x".repeat(1000)}`));
      socket.end();
    },
  });
  const leaf = hold({
    profile: "client",
    name: "store",
    issuer: pki.alice,
    command: { kind: "block-dump", level: 0, form: "current" },
  });
  const wires = await converse(dial(port, [leaf, pki.alice]));
  expect(wires).toHaveLength(1000);
});

test("a record that a client gets ends where a message ends, if that fits into one", async () => {
  const sizes = [10, 15_000, 15_000, 40_000, 3000, 12_000, 12_000, 70_000, 5];
  const { port, pki } = await openLab({
    answer: (it, socket) => socket.end(Buffer.concat(sizes.map((size) => reply(it, "x".repeat(size))))),
  });
  const leaf = hold({ profile: "client", name: "hello", issuer: pki.alice, command: { kind: "stats-subscribe" } });
  const socket = dial(port, [leaf, pki.alice]);
  const ends = new Set<number>();
  let end = 0;
  // Each is one record's content.
  socket.on("data", (record: Buffer) => {
    end += record.length;
    ends.add(end);
  });
  const wires = await converse(socket);
  expect(wires).toHaveLength(sizes.length);
  let at = 0;
  for (const wire of wires) {
    const begin = at;
    at += encodeFrame(encodeWire(wire)).length;
    if (at - begin <= 16_384) expect([...ends].some((one) => one > begin && one < at)).toBe(false);
  }
});

test("a subscription goes on when its certificate, made for the moment, has expired", async () => {
  const late = 1500;
  const { port, pki } = await openLab({
    answer: (it, socket) => {
      socket.write(reply(it, "subscribed"));
      setTimeout(() => socket.end(reply(it, "still here")), late);
    },
  });
  const command = { kind: "console-subscribe", from: { kind: "count", count: 20 } } as const;
  const notAfter = Math.floor(Date.now() / 1000) * 1000 + 1000;
  const leaf = hold({ profile: "client", name: "hello", issuer: pki.alice, command, notAfter });
  const wires = await converse(dial(port, [leaf, pki.alice]));
  expect(wires.map(({ payload }) => payload)).toEqual([
    { kind: "success", success: { kind: "string", text: "subscribed" } },
    { kind: "success", success: { kind: "string", text: "still here" } },
  ]);
});

test("a subscription's client that closes or speaks ends it at the daemon", async () => {
  let open = 0;
  const { port, pki } = await openLab({
    answer: (it, socket) => {
      open++;
      socket.on("close", () => open--);
      socket.write(reply(it, "subscribed"));
    },
  });
  const leaf = hold({ profile: "client", name: "hello", issuer: pki.alice, command: { kind: "stats-subscribe" } });
  for (const leave of ["end", "destroy", "speak"] as const) {
    const socket = dial(port, [leaf, pki.alice]);
    await new Promise((resolve) => socket.once("data", resolve));
    expect(open).toBe(1);
    if (leave === "end") socket.end();
    else if (leave === "destroy") socket.destroy();
    else socket.write("x");
    await until(() => open === 0, `the subscription ends after ${leave}`);
    socket.destroy();
  }
});

test.for(keyTypes)("server and client may have %s keys", { timeout: 60_000 }, async (keyType) => {
  const { port, pki, asked } = await openLab({ pki: makePki(keyType) });
  const leaf = hold({ profile: "client", name: "hello", issuer: pki.bob, command: info, keyType });
  const answer = await ask(port, [leaf, pki.bob, pki.alice]);
  expect(answer.payload.kind).toBe("success");
  expect(asked).toHaveLength(1);
});
