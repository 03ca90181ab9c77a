import { expect, test } from "vitest";
import { ChunkReader } from "../src/codec/chunk.ts";
import { decodeConfig } from "../src/codec/config.ts";
import { decodeDer } from "../src/codec/der.ts";
import type { DerProblem } from "../src/codec/der_problem.ts";
import { bytesSource, decodeSolo5 } from "../src/codec/elf.ts";
import { decodeExtension } from "../src/codec/extension.ts";
import { FrameReader, frameHeader } from "../src/codec/frame.ts";
import { decodePolicy } from "../src/codec/policy.ts";
import { readGeneralizedTime, readUtcTime } from "../src/codec/time.ts";
import { decodeWire } from "../src/codec/wire.ts";
import { inflate } from "../src/codec/zlib.ts";

/**
 * Hand-made inputs that no decoder may take. The parts are put together by `tlv`, which writes whatever it is told: the
 * codec's own writer could not.
 */
function tlv(tag: number, ...parts: readonly (string | readonly number[] | Uint8Array)[]): Uint8Array {
  const content = Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Uint8Array.from(part))),
  );
  const { length } = content;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  const header = [tag, ...(length < 0x80 ? [length] : long)];
  return Buffer.concat([Uint8Array.from(header), content]);
}

const five = tlv(0x02, [5]);
const nothing = tlv(0x05);
const zeros = tlv(0x04, new Uint8Array(8));
const header = tlv(0x30, five, zeros, tlv(0x0c, ":vm"));
const info = tlv(0xa0, tlv(0xa3, tlv(0xb3, nothing)));

function command(...parts: readonly Uint8Array[]): Uint8Array {
  return tlv(0x30, header, tlv(0xa0, ...parts));
}

function success(...parts: readonly Uint8Array[]): Uint8Array {
  return tlv(0x30, header, tlv(0xa1, ...parts));
}

function data(...parts: readonly Uint8Array[]): Uint8Array {
  return tlv(0x30, header, tlv(0xa3, ...parts));
}

const messages: readonly (readonly [string, Uint8Array, DerProblem])[] = [
  ["nothing at all", new Uint8Array(0), "truncated"],
  ["one byte", Uint8Array.of(0x30), "truncated"],
  ["a NULL", nothing, "tag-unexpected"],
  ["an empty sequence", tlv(0x30), "truncated"],
  ["a header alone", tlv(0x30, header), "truncated"],
  ["a payload alone", tlv(0x30, info), "tag-unexpected"],
  ["a payload before the header", tlv(0x30, info, header), "tag-unexpected"],
  ["two payloads", tlv(0x30, header, info, info), "trailing-bytes"],
  ["a set for a sequence", tlv(0x31, header, info), "tag-unexpected"],
  ["a primitive sequence", tlv(0x10, header, info), "tag-unexpected"],
  ["a length of four bytes for a few", Uint8Array.of(0x30, 0x84, 0, 0, 0, 1, 0), "length-not-minimal"],
  ["a length of 2 GiB", Uint8Array.of(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff), "truncated"],
  ["a length of 127 bytes", Uint8Array.of(0x30, 0xff), "length-too-large"],
  ["an indefinite length", Uint8Array.of(0x30, 0x80, 0, 0), "length-indefinite"],
  ["version 4", tlv(0x30, tlv(0x30, tlv(0x02, [4]), zeros, tlv(0x0c, ":")), info), "version-unknown"],
  ["version 261", tlv(0x30, tlv(0x30, tlv(0x02, [1, 5]), zeros, tlv(0x0c, ":")), info), "version-unknown"],
  [
    "a sequence number of 7 bytes",
    tlv(0x30, tlv(0x30, five, tlv(0x04, new Uint8Array(7)), tlv(0x0c, ":")), info),
    "integer-out-of-range",
  ],
  [
    "a sequence number of no bytes",
    tlv(0x30, tlv(0x30, five, tlv(0x04), tlv(0x0c, ":")), info),
    "integer-out-of-range",
  ],
  ["an empty name", tlv(0x30, tlv(0x30, five, zeros, tlv(0x0c)), info), "name-malformed"],
  ["a name with two colons in a row", tlv(0x30, tlv(0x30, five, zeros, tlv(0x0c, "a::b")), info), "name-malformed"],
  ["a name that is not UTF-8", tlv(0x30, tlv(0x30, five, zeros, tlv(0x0c, [0xff])), info), "text-not-utf8"],
  ["a name of 100 levels", tlv(0x30, tlv(0x30, five, zeros, tlv(0x0c, "a:".repeat(100))), info), "name-malformed"],
  ["a name that is no UTF8String", tlv(0x30, tlv(0x30, five, zeros, tlv(0x13, ":")), info), "tag-unexpected"],
  ["an unknown payload", tlv(0x30, header, tlv(0xa4, nothing)), "tag-unexpected"],
  ["an implicit payload", tlv(0x30, header, tlv(0x82, "text")), "tag-unexpected"],
  ["the dropped log command", command(tlv(0xa2, nothing)), "tag-unexpected"],
  ["an empty command", command(), "truncated"],
  ["two commands in one", command(tlv(0xa3, tlv(0xb3, nothing)), tlv(0xa3, tlv(0xb3, nothing))), "trailing-bytes"],
  ["a NULL that is none", command(tlv(0xa3, tlv(0xb3, tlv(0x05, [0])))), "null-with-content"],
  ["an unknown unikernel command", command(tlv(0xa3, tlv(0xa0, nothing))), "tag-unexpected"],
  ["a level of 10", command(tlv(0xa3, tlv(0xab, tlv(0x02, [10])))), "integer-out-of-range"],
  ["a negative level", command(tlv(0xa5, tlv(0xa6, tlv(0x02, [0xff])))), "integer-out-of-range"],
  ["a block device of negative size", command(tlv(0xa5, tlv(0xa1, tlv(0x02, [0xff])))), "integer-out-of-range"],
  [
    "a negative pid",
    command(tlv(0xa1, tlv(0xa0, tlv(0x30, tlv(0x0c), tlv(0x02, [0xff]), tlv(0x30))))),
    "integer-out-of-range",
  ],
  ["a console from two places", command(tlv(0xa0, tlv(0xa2, tlv(0xa2, five)))), "tag-unexpected"],
  ["a session command, which is not yet", command(tlv(0xb1, nothing)), "tag-unexpected"],
  ["an empty request", command(tlv(0xb0, tlv(0x30))), "truncated"],
  ["a success of an unused tag", success(tlv(0xa3, nothing)), "tag-unexpected"],
  ["a listing that is a set", success(tlv(0xac, tlv(0x31))), "tag-unexpected"],
  ["a listing of an entry without a value", success(tlv(0xa2, tlv(0x30, tlv(0x30, tlv(0x0c, ":"))))), "truncated"],
  ["the dropped log data", data(tlv(0xa2, nothing)), "tag-unexpected"],
  ["a block that neither goes on nor ends", data(tlv(0xa4, tlv(0xa2, nothing))), "tag-unexpected"],
  ["empty statistics", data(tlv(0xa1, tlv(0x30))), "truncated"],
  ["a console line without its time", data(tlv(0xa3, tlv(0x30, tlv(0x0c, "line")))), "tag-unexpected"],
];

test.for(messages)("decodeWire refuses %s", ([_, bytes, problem]) => {
  const decoded = decodeWire(bytes);
  expect(!decoded.ok && decoded.error.error.problem).toBe(problem);
});

test("decodeWire and decodeExtension refuse a list without end, before they have read it", () => {
  const texts = Buffer.alloc(3 * 2 ** 20, Buffer.from([0x0c, 0x01, 0x61]));
  const list = (...parts: readonly Uint8Array[]): Uint8Array => {
    const content = Buffer.concat(parts);
    const { length } = content;
    return Buffer.concat([Uint8Array.of(0x30, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff), content]);
  };
  const policy = list(tlv(0x30), five, five, list(texts));
  const wrap = (tag: number, inside: Uint8Array): Uint8Array => {
    const whole = list(inside).slice();
    whole[0] = tag;
    return whole;
  };
  const add = wrap(0xa4, wrap(0xa1, policy));
  const message = decodeWire(list(header, wrap(0xa0, add)));
  expect(!message.ok && message.error.error.problem).toBe("too-many-values");
  const extension = decodeExtension(list(five, add));
  expect(!extension.ok && extension.error.problem).toBe("too-many-values");
});

/** Typ, compressed, image, addName, failBehaviour, cpuids and memory of the smallest config, and what follows. */
function config(
  { typ = tlv(0xa0, nothing), fail = tlv(0xa0, nothing), cpuids = tlv(0x31, tlv(0x02, [0])), memory = tlv(0x02, [32]) },
  ...rest: readonly Uint8Array[]
): Uint8Array {
  return tlv(0x30, typ, tlv(0x01, [0]), tlv(0x04), tlv(0x01, [0xff]), fail, cpuids, memory, ...rest);
}

function bridges(...bridge: readonly Uint8Array[]): Uint8Array {
  return tlv(0xa1, tlv(0x31, tlv(0x30, ...bridge)));
}

const configs: readonly (readonly [string, Uint8Array, DerProblem])[] = [
  ["nothing at all", new Uint8Array(0), "truncated"],
  ["an unknown type", config({ typ: tlv(0xa2, nothing) }), "tag-unexpected"],
  ["an unknown failure behaviour", config({ fail: tlv(0xa2, nothing) }), "tag-unexpected"],
  ["a negative CPU", config({ cpuids: tlv(0x31, tlv(0x02, [0xff])) }), "integer-out-of-range"],
  ["CPUs out of order", config({ cpuids: tlv(0x31, tlv(0x02, [1]), tlv(0x02, [0])) }), "set-not-sorted"],
  ["one CPU, as in the older forms", config({ cpuids: tlv(0x02, [0]) }), "tag-unexpected"],
  ["negative memory", config({ memory: tlv(0x02, [0x80]) }), "integer-out-of-range"],
  [
    "2^62 - 1 MB of memory",
    config({ memory: tlv(0x02, [0x3f, 255, 255, 255, 255, 255, 255, 255]) }),
    "integer-out-of-range",
  ],
  ["a MAC of 5 bytes", config({}, bridges(tlv(0x0c, "a"), tlv(0x04, [1, 2, 3, 4, 5]))), "value-refused"],
  ["a MAC of 7 bytes", config({}, bridges(tlv(0x0c, "a"), tlv(0x04, [1, 2, 3, 4, 5, 6, 7]))), "value-refused"],
  ["a bridge without a name", config({}, bridges()), "truncated"],
  [
    "a negative sector size",
    config({}, tlv(0xa0, tlv(0x31, tlv(0x30, tlv(0x0c, "a"), tlv(0x02, [0xff]))))),
    "integer-out-of-range",
  ],
  ["bridges before blocks", config({}, bridges(tlv(0x0c, "a")), tlv(0xa0, tlv(0x31))), "trailing-bytes"],
  ["a negative number of CPUs", config({}, tlv(0xa3, tlv(0x02, [0xff]))), "integer-out-of-range"],
  ["a field too many", config({}, tlv(0xa5, nothing)), "trailing-bytes"],
];

test.for(configs)("decodeConfig refuses %s", ([_, bytes, problem]) => {
  const decoded = decodeConfig(bytes);
  expect(!decoded.ok && decoded.error.problem).toBe(problem);
});

test.for([
  ["a negative count", [tlv(0x30), tlv(0x02, [0xff]), tlv(0x02, [1]), tlv(0x30)], "integer-out-of-range"],
  ["a negative CPU", [tlv(0x30, tlv(0x02, [0xff])), tlv(0x02, [1]), tlv(0x02, [1]), tlv(0x30)], "integer-out-of-range"],
  ["negative memory", [tlv(0x30), tlv(0x02, [1]), tlv(0x02, [0xff]), tlv(0x30)], "integer-out-of-range"],
  ["negative block storage", [tlv(0x30), five, five, tlv(0x02, [0xff]), tlv(0x30)], "integer-out-of-range"],
  ["CPUs as a set", [tlv(0x31), five, five, tlv(0x30)], "tag-unexpected"],
  ["no bridges", [tlv(0x30), five, five], "truncated"],
  ["a number too many", [tlv(0x30), five, five, five, five, tlv(0x30)], "tag-unexpected"],
] as const)("decodePolicy refuses %s", ([_, fields, problem]) => {
  const decoded = decodePolicy(tlv(0x30, ...fields));
  expect(!decoded.ok && decoded.error.problem).toBe(problem);
});

test.for([
  ["nothing at all", new Uint8Array(0), "truncated"],
  ["a command without a version", tlv(0x30, tlv(0xa4, tlv(0xa0, nothing))), "tag-unexpected"],
  ["version 6", tlv(0x30, tlv(0x02, [6]), tlv(0xa4, tlv(0xa0, nothing))), "version-unknown"],
  ["a version without a command", tlv(0x30, five), "truncated"],
  ["a request, which is for the endpoint alone", tlv(0x30, five, tlv(0xb0, tlv(0x30))), "tag-unexpected"],
  ["bytes after the command", tlv(0x30, five, tlv(0xa4, tlv(0xa0, nothing)), nothing), "trailing-bytes"],
] as const)("decodeExtension refuses %s", ([_, bytes, problem]) => {
  const decoded = decodeExtension(bytes);
  expect(!decoded.ok && decoded.error.problem).toBe(problem);
});

test.for([
  ["digests of another length", [tlv(0x30), tlv(0x04, new Uint8Array(31))], "value-refused"],
  ["a label in capitals", [tlv(0x30), tlv(0x04, new Uint8Array(32)), tlv(0x0c, "VM")], "name-malformed"],
  ["no expiry", [tlv(0x30), tlv(0x04, new Uint8Array(32)), tlv(0xa4, tlv(0xa0, nothing))], "tag-unexpected"],
] as const)("decodeWire refuses a request with %s", ([_, fields, problem]) => {
  const decoded = decodeWire(command(tlv(0xb0, tlv(0x30, ...fields))));
  expect(!decoded.ok && decoded.error.error.problem).toBe(problem);
});

test("decodeWire refuses a request of more levels than a path may have", () => {
  const empty = tlv(0x30, tlv(0x30), tlv(0x02, [0]), tlv(0x02, [0]), tlv(0x30));
  const time = tlv(0x18, "20260101000000Z");
  const level = tlv(0x30, tlv(0x0c, "a"), empty, time, time, tlv(0x04, new Uint8Array(32)));
  const levels = tlv(0x30, ...Array.from({ length: 65 }, () => level));
  const decoded = decodeWire(command(tlv(0xb0, tlv(0x30, levels))));
  expect(!decoded.ok && decoded.error.error.problem).toBe("value-refused");
});

test.for(["", "2026", "20260229000000Z", "20260101000000.Z", "2026010100000OZ", "-0260101000000Z"])(
  "readGeneralizedTime and readUtcTime refuse %j",
  (text) => {
    expect(decodeDer(tlv(0x18, text), readGeneralizedTime).ok).toBe(false);
    expect(decodeDer(tlv(0x17, text), readUtcTime).ok).toBe(false);
  },
);

test.for([
  ["an ELF magic alone", "7f454c46"],
  ["a script", "23212f62696e2f7368"],
  ["64 bytes of zero", "00".repeat(64)],
  ["a header that points at itself", `7f454c46020101${"00".repeat(9)}02003e00${"00".repeat(36)}3800400000000000`],
] as const)("decodeSolo5 refuses %s", ([_, bytes]) => {
  expect(decodeSolo5(bytesSource(Buffer.from(bytes, "hex"))).ok).toBe(false);
});

test.for(["", "78", "789c", "789c0300000000", "789cedbd07", "ffffffff"])("inflate refuses %j", (bytes) => {
  expect(inflate(Buffer.from(bytes, "hex"), 1000).ok).toBe(false);
});

test("reference bug 9: negative and huge amounts are refused in the decoder", () => {
  for (const amount of [
    [0xff],
    [0x80, 0, 0, 0, 0, 0, 0, 0],
    [0x7f, ...new Array<number>(7).fill(0xff)],
    [1, ...new Array<number>(20).fill(0)],
  ]) {
    const wrong = tlv(0x02, amount);
    const bytes = [
      decodeConfig(config({ memory: wrong })),
      decodePolicy(tlv(0x30, tlv(0x30), wrong, five, tlv(0x30))),
      decodePolicy(tlv(0x30, tlv(0x30), five, wrong, tlv(0x30))),
      decodePolicy(tlv(0x30, tlv(0x30), five, five, wrong, tlv(0x30))),
    ];
    expect(bytes.map((decoded) => !decoded.ok && decoded.error.problem)).toEqual(
      bytes.map(() => "integer-out-of-range"),
    );
    expect(decodeWire(command(tlv(0xa5, tlv(0xa1, wrong)))).ok).toBe(false);
  }
});

test("reference bug 20: a negative number of console lines is refused", () => {
  const decoded = decodeWire(command(tlv(0xa0, tlv(0xa2, tlv(0xa1, tlv(0x02, [0xff]))))));
  expect(!decoded.ok && decoded.error.error.problem).toBe("integer-out-of-range");
  expect(decodeWire(command(tlv(0xa0, tlv(0xa2, tlv(0xa1, five))))).ok).toBe(true);
});

test("reference bug 18: FrameReader and ChunkReader refuse what is too large before any of it comes", () => {
  for (const length of [11, 0x7fffffff, 0xffffffff])
    expect(new FrameReader(10).push(frameHeader(length)).ok).toBe(false);
  // From 2^31 on a chunk's length is negative to albatross, and ends the stream.
  for (const length of [11, 0x7fffffff]) expect(new ChunkReader(10).push(frameHeader(length)).ok).toBe(false);
});
