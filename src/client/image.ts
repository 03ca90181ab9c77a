/**
 * The image of a create as it travels.
 *
 * @module
 */
import { deflate } from "../codec/zlib.ts";
import type { Command } from "../core/command.ts";
import type { Image } from "../core/unikernel.ts";

/**
 * The command with its image compressed; other commands as they are.
 *
 * @param level - of zlib; 0 leaves the image as it lies on disk
 */
export function compressImage(command: Command, level: number): Command {
  if (command.kind !== "unikernel-create" || level === 0) return command;
  return { ...command, image: { compressed: true, bytes: deflate(command.image.bytes, level) } };
}

/** The command without its image, and the image, which follows on the connection: what a certificate need not carry. */
export function detachImage(command: Command): { readonly command: Command; readonly image?: Image } {
  if (command.kind !== "unikernel-create") return { command };
  const { image } = command;
  return { command: { ...command, image: { compressed: image.compressed, bytes: new Uint8Array(0) } }, image };
}
