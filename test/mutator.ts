/**
 * Makes inputs out of inputs, as AFL does: bits turned, numbers moved a little
 * or set to where limits are, parts cut, doubled, moved, and taken from another
 * input. The same seed gives the same bytes.
 */
export class Mutator {
  readonly #corpus: readonly Uint8Array[];
  #state: number;

  constructor(corpus: readonly Uint8Array[], seed: number) {
    this.#corpus = corpus;
    this.#state = seed;
  }

  /** An input of the corpus with one to eight changes. */
  next(): Buffer {
    let bytes = this.#pick();
    for (let left = 1 + this.#below(8); left > 0; left--) bytes = this.#change(bytes);
    return bytes;
  }

  #pick(): Buffer {
    return Buffer.from(this.#corpus[this.#below(this.#corpus.length)] ?? []);
  }

  #change(bytes: Buffer): Buffer {
    const at = this.#below(bytes.length + 1);
    const length = this.#below(Math.min(bytes.length - at, longestPart) + 1);
    const part = bytes.subarray(at, at + length);
    switch (this.#below(8)) {
      case 0:
        return this.#set(bytes, at, (byte) => byte ^ (1 << this.#below(8)));
      case 1:
        return this.#set(bytes, at, (byte) => byte + this.#below(71) - 35);
      case 2:
        return this.#set(bytes, at, () => interesting[this.#below(interesting.length)] ?? 0);
      case 3:
        return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
      case 4:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
      case 5:
        return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, this.#below(256)), bytes.subarray(at)]);
      case 6:
        return this.#writeLength(bytes, at);
      default:
        return Buffer.concat([bytes.subarray(0, at), this.#pick().subarray(at)]);
    }
  }

  #set(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
    if (at < bytes.length) bytes[at] = change(bytes[at] ?? 0) & 0xff;
    return bytes;
  }

  /** Four bytes as a frame's length, or a long form of DER's. */
  #writeLength(bytes: Buffer, at: number): Buffer {
    const number = lengths[this.#below(lengths.length)] ?? 0;
    if (at + 4 <= bytes.length) bytes.writeUInt32BE(number, at);
    return bytes;
  }

  /** Park and Miller's generator. */
  #below(limit: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % limit;
  }
}

const interesting = [0, 1, 0x02, 0x04, 0x0c, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xa0, 0xa1, 0xbf, 0xfe, 0xff];
const lengths = [0, 1, 4, 0x7fff, 0x10000, 0x100000, 0x7fffffff, 0x80000000, 0xffffffff, 0x30820010, 0x30847fff];

/** Bytes that are cut, doubled or filled at once. */
const longestPart = 64;
