/**
 * What the supervisor wants done to block devices.
 *
 * @module
 */
import type { Refusal } from "../core/refusal.ts";
import { unreachable } from "../core/result.ts";
import type { ClientId, Effect } from "../core/state.ts";
import { createBlock, readBlock, removeBlock, setBlock } from "./block.ts";
import { errnoOf } from "./io.ts";
import type { Upload } from "./preparer.ts";
import { refuseContent, refuseHost } from "./refuse.ts";

type Of<K extends Effect["kind"]> = Extract<Effect, { kind: K }>;
export type BlockEffect = Of<"create-block" | "remove-block" | "fill-block" | "read-block">;

interface Clients {
  readonly dbdir: string;
  /** Bytes that one byte of a compressed content may become. */
  readonly ratio: number;
  readonly upload: (client: ClientId) => Upload;
  readonly download: (effect: Of<"read-block">, content: AsyncIterable<Uint8Array>) => Promise<void>;
}

/** @returns why it could not be done */
export async function workOnBlock(clients: Clients, effect: BlockEffect): Promise<Refusal | undefined> {
  const { dbdir, download } = clients;
  const { name } = effect;
  switch (effect.kind) {
    case "create-block": {
      const made = await createBlock(dbdir, { name, size: effect.size });
      if (!made.ok) return refuseHost("making the block device", made.error);
      return effect.filled ? await fill(clients, effect, true) : undefined;
    }
    case "remove-block": {
      const removed = await removeBlock(dbdir, name);
      return removed.ok ? undefined : refuseHost("removing the block device", removed.error);
    }
    case "fill-block":
      return await fill(clients, effect, false);
    case "read-block": {
      const content = await readBlock(dbdir, name, effect.level);
      if (!content.ok) return refuseHost("reading the block device", content.error);
      return await settled("reading the block device", download(effect, content.value));
    }
    default:
      return unreachable(effect);
  }
}

/** @param fresh - whether the device goes again where it cannot be filled */
async function fill(
  { dbdir, ratio, upload }: Clients,
  { name, size, client }: Of<"create-block" | "fill-block">,
  fresh: boolean,
): Promise<Refusal | undefined> {
  const { bytes, compressed } = upload(client);
  const filled = await setBlock(dbdir, { name, size }, bytes, { compressed, maxRatio: ratio });
  if (filled.ok) return undefined;
  if (fresh) await removeBlock(dbdir, name);
  return refuseContent(filled.error, size);
}

/** Why the system failed, where it did; any other throw passes. */
async function settled(doing: string, work: Promise<void>): Promise<Refusal | undefined> {
  try {
    await work;
    return undefined;
  } catch (thrown) {
    return refuseHost(doing, { kind: errnoOf(thrown) });
  }
}
