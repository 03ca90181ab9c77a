import { expect, test } from "vitest";
import { encodeDer, explicit, integer, nul, octets, sequence, text } from "../../src/codec/der_writer.ts";
import { decodeExtension } from "../../src/codec/extension.ts";
import { encodeText } from "../../src/codec/text.ts";
import { decodeWire, encodeWire, type Header, type Payload } from "../../src/codec/wire.ts";
import { parseName } from "../../src/core/name.ts";
import { hex, unhex } from "./vectors.ts";

const name = parseName("alice:vm");
const header: Header = { version: 5, sequence: 7n, name: name.ok ? name.value : { path: [] } };
const headerDer = sequence(integer(5), octets(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7)), text("alice:vm"));

test("decodeWire gives the header with the error of a payload", () => {
  const bytes = encodeDer(sequence(headerDer, explicit(0, explicit(9, nul))));
  const decoded = decodeWire(bytes);
  expect(!decoded.ok && decoded.error.header).toEqual(header);
  expect(!decoded.ok && decoded.error.error.problem).toBe("tag-unexpected");
});

test("decodeWire gives the header where bytes follow the payload", () => {
  const bytes = encodeDer(sequence(headerDer, explicit(0, explicit(3, explicit(19, nul))), nul));
  const decoded = decodeWire(bytes);
  expect(!decoded.ok && decoded.error.header).toEqual(header);
  expect(!decoded.ok && decoded.error.error.problem).toBe("trailing-bytes");
});

test("decodeWire gives no header of another version", () => {
  const other = sequence(integer(4), octets(new Uint8Array(8)), text(":"));
  const decoded = decodeWire(encodeDer(sequence(other, explicit(0, explicit(3, explicit(19, nul))))));
  expect(decoded).toEqual({
    ok: false,
    error: { kind: "wire", error: { kind: "der", problem: "version-unknown", at: 7 } },
  });
});

test("decodeWire gives the bytes of an image as a view", () => {
  const bytes = encodeWire({
    header,
    payload: {
      kind: "success",
      success: { kind: "unikernel-image", image: { compressed: false, bytes: new Uint8Array(9) } },
    },
  });
  const decoded = decodeWire(bytes);
  if (!decoded.ok || decoded.value.payload.kind !== "success") throw new Error("not a success");
  const { success } = decoded.value.payload;
  expect(success.kind === "unikernel-image" && success.image.bytes.buffer).toBe(bytes.buffer);
});

test("decodeWire refuses a request inside a request", () => {
  const request: Payload = {
    kind: "request",
    request: {
      levels: [],
      leaf: new Uint8Array(32),
      expires: 0,
      command: { kind: "policy-info" },
      imageFollows: false,
    },
  };
  const bytes = hex(encodeWire({ header, payload: request }));
  // [4] PolicyCmd becomes [16] with the same content.
  const nested = bytes.replace("a404a0020500", "b004a0020500");
  expect(nested).not.toBe(bytes);
  expect(decodeWire(Buffer.from(bytes, "hex")).ok).toBe(true);
  expect(decodeWire(Buffer.from(nested, "hex")).ok).toBe(false);
});

// A block set and a create as albatross writes them; then with a BOOLEAN, or the exit codes 2 and 7, otherwise.
test.for([
  ["boolean-not-canonical", "300a020105a505a7030101ff", "ff", "01"],
  [
    "set-not-sorted",
    "3027020105a322b420301ea002050001010004000101ffa10831060201020201073103020100020120",
    "020102020107",
    "020107020102",
  ],
] as const)("reference bug 26: BER in DER's place is refused: %s", ([problem, der, from, to]) => {
  expect(decodeExtension(unhex(der)).ok).toBe(true);
  expect(decodeExtension(unhex(der.replace(from, to)))).toMatchObject({ ok: false, error: { problem } });
});

test("reference bug 31: encodeWire tells an older client the lowest CPU", () => {
  const value = {
    typ: "solo5",
    failBehaviour: { kind: "quit" },
    cpuids: [3, 5],
    memory: 32,
    digest: new Uint8Array(32),
    blocks: [],
    bridges: [],
    cpus: 2,
  } as const;
  for (const form of ["old4", "old5"] as const) {
    const success = { kind: "unikernels", form, unikernels: [{ name: header.name, value }] } as const;
    const decoded = decodeWire(encodeWire({ header, payload: { kind: "success", success } }));
    if (!decoded.ok || decoded.value.payload.kind !== "success") throw new Error("not a success");
    const told = decoded.value.payload.success;
    expect(told.kind === "unikernels" && told.unikernels[0]?.value.cpuids).toEqual([3]);
  }
});

test("decodeWire refuses to explain an explanation, however deep", () => {
  const plain: Payload = { kind: "command", command: { kind: "explain", command: { kind: "policy-info" } } };
  expect(decodeWire(encodeWire({ header, payload: plain }))).toMatchObject({ ok: true, value: { payload: plain } });
  let command = explicit(4, explicit(0, nul));
  for (let depth = 0; depth < 20; depth++) command = explicit(19, command);
  expect(decodeWire(encodeDer(sequence(headerDer, explicit(0, command)))).ok).toBe(false);
});

test.for([
  "",
  "a\0\x7f",
  "\x80",
  "é",
  "\udc80",
  "a".repeat(256),
  `${"a".repeat(255)}é`,
  "a".repeat(257),
  "é".repeat(70_000),
])("text and encodeDer write %j as its UTF-8", (value) => {
  expect(hex(encodeDer(text(value)))).toBe(hex(encodeDer(octets(encodeText(value)))).replace(/^04/, "0c"));
});
