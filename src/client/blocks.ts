/**
 * Block devices.
 *
 * @module
 */
import { type Content, incoming, openContent } from "./content.ts";
import { expectText, expectWord, type Question } from "./question.ts";
import type { BlockDevice } from "./values.ts";
import { blockDeviceOf, readName } from "./values.ts";

export class Blocks {
  readonly #question: Question;

  constructor(question: Question) {
    this.#question = question;
  }

  /** One, or all at and below a path; without a name all. */
  async list(name: string = ":"): Promise<BlockDevice[]> {
    const { header, success } = await this.#question.ask(readName(name), { kind: "block-info" });
    if (success.kind !== "block-devices") return expectWord(success.kind);
    return success.devices.map((device) => blockDeviceOf(header.name, device));
  }

  /** Makes one of zeros. @param size - MB */
  async create(name: string, size: number): Promise<void> {
    expectText(await this.#question.ask(readName(name), { kind: "block-add", size, form: "current" }));
  }

  async remove(name: string): Promise<void> {
    expectText(await this.#question.ask(readName(name), { kind: "block-remove" }));
  }

  /**
   * Puts the content in place of all that the device holds; the rest is zeros. One that breaks off changes nothing.
   *
   * @param compression - zlib's level for the way; 0: none
   */
  async set(
    name: string,
    content: Content,
    { compression = 0 }: { readonly compression?: number } = {},
  ): Promise<void> {
    const outgoing = await openContent(content, compression);
    try {
      const command = { kind: "block-set", compressed: compression > 0 } as const;
      expectText(await this.#question.send(readName(name), command, outgoing.pieces()));
    } finally {
      await outgoing.close();
    }
  }

  /**
   * The content, piece by piece.
   *
   * @param compression - zlib's level for the way; 0: none
   */
  async *dump(
    name: string,
    { compression = 0 }: { readonly compression?: number } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const command = { kind: "block-dump", level: compression, form: "current" } as const;
    const { success, connection, close } = await this.#question.open(readName(name), command);
    try {
      if (success.kind !== "block-device-image") return expectWord(success.kind);
      yield* incoming(connection, success.compressed);
    } finally {
      close();
    }
  }
}
