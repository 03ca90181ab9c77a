/**
 * What comes with a command: in its frame, or as a stream behind it.
 *
 * @module
 */
import type { ChainRequest, Command } from "../core/command.ts";
import type { Upload } from "../host/preparer.ts";
import type { Connection } from "./connection.ts";

/**
 * What comes with a command: in its frame, or in the stream behind it.
 *
 * @param most - bytes of an image as it arrives
 */
export function uploadOf({ inbox }: Connection, command: Command, imageFollows: boolean, most: number): Upload {
  switch (command.kind) {
    case "unikernel-create": {
      const { compressed, bytes } = command.image;
      return { compressed, bytes: imageFollows ? inbox.chunks(most) : once(bytes) };
    }
    case "block-set": {
      const { compressed, data } = command;
      return { compressed, bytes: data === undefined ? inbox.chunks(Number.POSITIVE_INFINITY) : once(data) };
    }
    case "block-add":
      return command.data ? { compressed: command.data.compressed, bytes: once(command.data.bytes) } : nothing;
    default:
      return nothing;
  }
}

/** Whether an upload follows the frame. */
export function streams({ command, imageFollows }: ChainRequest): boolean {
  return imageFollows || (command.kind === "block-set" && command.data === undefined);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export const nothing: Upload = { compressed: false, bytes: once(new Uint8Array(0)) };
