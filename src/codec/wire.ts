/**
 * Wire: every message on every socket, a header and what it carries.
 *
 * @module
 */
import type { ChainRequest, Command, Success } from "../core/command.ts";
import type { Name } from "../core/name.ts";
import { err, ok, type Result, unreachable } from "../core/result.ts";
import { readCommand, writeCommand } from "./command.ts";
import { type Data, readData, writeData } from "./data.ts";
import { contextTag, type DerError, decodeDer, type Reader } from "./der.ts";
import { type Der, encodeDer, encodedSize, encodeHead, explicit, layOut, sequence, text } from "./der_writer.ts";
import { frameHeader, headerSize, maxLength, putFrameHeader } from "./frame.ts";
import { readName, writeName } from "./name.ts";
import { readInt64, writeInt64 } from "./number.ts";
import { readRequest, requestTag, writeRequest } from "./request.ts";
import { readSuccess, writeImageToCome, writeSuccess } from "./success.ts";
import { maxValues, readVersion, type Version, writtenVersion } from "./version.ts";

export interface Header {
  readonly version: Version;
  /** 64 bits, signed. */
  readonly sequence: bigint;
  readonly name: Name;
}

export type Payload =
  | { readonly kind: "command"; readonly command: Command }
  | { readonly kind: "request"; readonly request: ChainRequest }
  | { readonly kind: "success"; readonly success: Success }
  | { readonly kind: "failure"; readonly text: string }
  | { readonly kind: "data"; readonly data: Data };

export interface Wire {
  readonly header: Header;
  readonly payload: Payload;
}

export interface WireError {
  readonly kind: "wire";
  readonly error: DerError;
  /** Where it could be read: what a Failure can be answered on. */
  readonly header?: Header;
}

export function encodeWire(wire: Wire): Uint8Array {
  return encodeDer(writeWire(wire));
}

/** The message framed, laid out once: for sending, as it may be a part of something larger in memory. */
export function encodeMessage(wire: Wire): Uint8Array {
  const value = writeWire(wire);
  const length = encodedSize(value);
  const frame = Buffer.allocUnsafe(headerSize + length);
  putFrameHeader(length, frame);
  layOut(value, frame, headerSize);
  return frame;
}

function writeWire({ header, payload }: Wire): Der {
  return sequence(writeHeader(header), writePayload(payload));
}

/**
 * The reply with an image that is not at hand, framed: what stands before its bytes, which end the message. Undefined
 * where no length can say how long that is.
 */
export function encodeImageHead(header: Header, compressed: boolean, length: number): Uint8Array | undefined {
  const reply = sequence(writeHeader(header), explicit(successTag, writeImageToCome(compressed, length)));
  const head = encodeHead(reply, length);
  const whole = head.length + length;
  return whole > maxLength ? undefined : Buffer.concat([frameHeader(whole), head]);
}

/** Images and other contents are views into `bytes`. */
export function decodeWire(bytes: Uint8Array): Result<Wire, WireError> {
  const seen: { header?: Header } = {};
  const read = (reader: Reader): Wire =>
    reader.sequence((inside) => {
      const header = inside.sequence(readHeader);
      seen.header = header;
      return { header, payload: inside.choice(payloads) };
    });
  const decoded = decodeDer(bytes, read, maxValues);
  return decoded.ok ? ok(decoded.value) : err({ kind: "wire", error: decoded.error, ...seen });
}

function readHeader(reader: Reader): Header {
  return { version: readVersion(reader), sequence: readInt64(reader), name: readName(reader) };
}

function writeHeader(header: Header): Der {
  return sequence(writtenVersion, writeInt64(header.sequence), writeName(header.name));
}

function writePayload(payload: Payload): Der {
  switch (payload.kind) {
    case "command":
      return explicit(0, writeCommand(payload.command));
    case "request":
      return explicit(0, explicit(requestTag, writeRequest(payload.request)));
    case "success":
      return explicit(successTag, writeSuccess(payload.success));
    case "failure":
      return explicit(2, text(payload.text));
    case "data":
      return explicit(3, writeData(payload.data));
    default:
      return unreachable(payload);
  }
}

function readCommandOrRequest(reader: Reader): Payload {
  if (reader.peek() !== contextTag(requestTag)) return { kind: "command", command: readCommand(reader) };
  return { kind: "request", request: reader.explicit(requestTag, readRequest) };
}

const successTag = 1;

const payloads: Readonly<Record<number, (reader: Reader) => Payload>> = {
  0: readCommandOrRequest,
  [successTag]: (reader) => ({ kind: "success", success: readSuccess(reader) }),
  2: (reader) => ({ kind: "failure", text: reader.text() }),
  3: (reader) => ({ kind: "data", data: readData(reader) }),
};
