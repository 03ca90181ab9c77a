/**
 * Looking at what is to be started: stores the image, reads its manifest,
 * finds the tender for it.
 *
 * A prepared image is held until it is released, once for each time that it
 * was prepared: images that several unikernels share go with the last of them.
 *
 * @module
 */
import { decodeSolo5 } from "../codec/elf.ts";
import type { DaemonLimits } from "../core/limits.ts";
import type { Manifest } from "../core/manifest.ts";
import type { Name } from "../core/name.ts";
import type { Refusal } from "../core/refusal.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Prepared, Tender } from "../core/state.ts";
import { hostBridge, type UnikernelConfig } from "../core/unikernel.ts";
import { openImage, receiveImage, removeImage } from "./image.ts";
import { type OutgoingImage, openOutgoing } from "./image_out.ts";
import type { IoError } from "./io.ts";
import { macsOf } from "./mac.ts";
import { refuseElf, refuseHost, refuseImage, refuseTender } from "./refuse.ts";
import { checkBridges } from "./tap.ts";
import { findTender, type TenderOptions } from "./tender.ts";

/** An image, or what is to fill a block device, on its way here. */
export interface Upload {
  /** Whether the bytes are a zlib stream. */
  readonly compressed: boolean;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export class Preparer {
  readonly #dbdir: string;
  readonly #tenders: TenderOptions;
  readonly #limits: Pick<DaemonLimits, "inflated" | "ratio">;
  /** Uses of each image, by its digest in hex. */
  readonly #held: Map<string, number> = new Map();
  readonly #unused: Map<string, Uint8Array> = new Map();
  #sweeping: Promise<void> = Promise.resolve();

  constructor(dbdir: string, tenders: TenderOptions, limits: Pick<DaemonLimits, "inflated" | "ratio">) {
    this.#dbdir = dbdir;
    this.#limits = limits;
    this.#tenders = tenders;
  }

  /** Everything that a start needs to know; when refused, nothing is held. */
  async prepare(name: Name, config: UnikernelConfig, image: Upload | Uint8Array): Promise<Result<Prepared, Refusal>> {
    const digest = image instanceof Uint8Array ? ok(this.#hold(image)) : await this.#receive(config, image);
    if (!digest.ok) return digest;
    const looked = await this.#look(config, digest.value);
    if (!looked.ok) {
      // A stored image stays: after a start of the daemon nobody may hold it but the record of its unikernel.
      if (image instanceof Uint8Array) this.#let(image);
      else await this.release(digest.value);
      return looked;
    }
    return ok({ digest: digest.value, ...looked.value, macs: macsOf(name, config) });
  }

  /** One use more, of an image that is there. */
  hold(digest: Uint8Array): void {
    this.#hold(digest);
  }

  /** One use less; with the last one the image goes. */
  async release(digest: Uint8Array): Promise<void> {
    if (this.#let(digest) > 0) return;
    this.#unused.set(keyOf(digest), digest);
    await this.#sweep();
  }

  /** See image_out. */
  open(digest: Uint8Array, level: number, signal: AbortSignal): Promise<Result<OutgoingImage, IoError>> {
    return openOutgoing(this.#dbdir, digest, level, signal);
  }

  /** It is held before it lies where it would be removed: how long it takes to come is its sender's to say. */
  async #receive(config: UnikernelConfig, { compressed, bytes }: Upload): Promise<Result<Uint8Array, Refusal>> {
    let held: Uint8Array | undefined;
    const { inflated, ratio } = this.#limits;
    const memory = config.memory * megabyte;
    const options = { compressed, maxBytes: Math.min(memory, inflated), maxRatio: ratio };
    const stored = await receiveImage(this.#dbdir, bytes, options, async (digest) => {
      held = this.#hold(digest);
      await this.#sweeping;
    });
    if (stored.ok) return ok(stored.value.digest);
    if (held !== undefined) await this.release(held);
    return err(refuseImage(stored.error, memory));
  }

  /** Removes what nobody holds; an image that has come meanwhile waits for the end of it. */
  #sweep(): Promise<void> {
    const unused = [...this.#unused].filter(([key]) => !this.#held.has(key));
    this.#unused.clear();
    this.#sweeping = this.#sweeping.then(async () => {
      for (const [key, digest] of unused) if (!this.#held.has(key)) await removeImage(this.#dbdir, digest);
    });
    return this.#sweeping;
  }

  #hold(digest: Uint8Array): Uint8Array {
    const key = keyOf(digest);
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    return digest;
  }

  /** @returns the uses that are left */
  #let(digest: Uint8Array): number {
    const key = keyOf(digest);
    const uses = (this.#held.get(key) ?? 0) - 1;
    if (uses > 0) this.#held.set(key, uses);
    else this.#held.delete(key);
    return uses;
  }

  async #look(
    { bridges }: UnikernelConfig,
    digest: Uint8Array,
  ): Promise<Result<{ readonly manifest: Manifest; readonly tender: Tender }, Refusal>> {
    const image = await openImage(this.#dbdir, digest);
    if (!image.ok) return err(refuseHost("opening the image", image.error));
    const manifest = decodeSolo5(image.value);
    image.value.close();
    if (!manifest.ok) return err(refuseElf(manifest.error));
    const { target, abi } = manifest.value;
    if (target !== "hvt" && target !== "spt" && target !== "virtio") return err({ kind: "target-unsupported", target });
    const tender = await findTender(target, abi, this.#tenders);
    if (!tender.ok) return err(refuseTender(tender.error, target, abi));
    const there = checkBridges(bridges.map(hostBridge));
    return there.ok
      ? ok({ manifest: manifest.value, tender: tender.value })
      : err(refuseHost("making the network devices", there.error));
  }
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString("hex");
}

/** albatross's MB. */
const megabyte: number = 1024 * 1024;
