/**
 * CertExtension: the command that a certificate carries.
 *
 * @module
 */
import type { Command } from "../core/command.ts";
import type { Result } from "../core/result.ts";
import { readCommand, writeCommand } from "./command.ts";
import { type DerError, decodeDer, type Reader } from "./der.ts";
import { encodeDer, sequence } from "./der_writer.ts";
import { maxValues, readVersion, writtenVersion } from "./version.ts";

/** The content of the extension's OCTET STRING. */
export function encodeExtension(command: Command): Uint8Array {
  return encodeDer(sequence(writtenVersion, writeCommand(command)));
}

/** An image in the command is a view into `bytes`. */
export function decodeExtension(bytes: Uint8Array): Result<Command, DerError> {
  return decodeDer(bytes, readExtension, maxValues);
}

function readExtension(reader: Reader): Command {
  return reader.sequence((inside) => {
    readVersion(inside);
    return readCommand(inside);
  });
}
