/**
 * What a unikernel is asked to be, and what is told about one that exists.
 *
 * Texts in here may hold bytes that are not UTF-8 (see codec/text): they are
 * kept, and escaped where a person sees them.
 *
 * @module
 */

export type Typ = "solo5" | "bhyve";

/** When a unikernel that ended is started again; no codes: after every code that may restart at all. */
export type FailBehaviour = { readonly kind: "quit" } | { readonly kind: "restart"; readonly codes: readonly number[] };

/** A block device of the unikernel and the block device of the host behind it. */
export interface BlockAttachment {
  /** The name in the unikernel's manifest. */
  readonly name: string;
  /** Label of the host's block device at the unikernel's path; absent: the same as `name`. */
  readonly device?: string;
  /** Bytes. */
  readonly sectorSize?: number;
}

/** A network device of the unikernel and the bridge of the host that it is put on. */
export interface BridgeAttachment {
  /** The name in the unikernel's manifest. */
  readonly netif: string;
  /** Absent: the same as `netif`. */
  readonly bridge?: string;
  /** 6 bytes; absent: derived from the names. */
  readonly mac?: Uint8Array;
}

/** All that a restart may change: everything but the image. */
export interface Settings {
  readonly failBehaviour: FailBehaviour;
  /** 0 is started first after a start of the daemon; absent counts as 50. */
  readonly startup?: number;
  /** Whether `--name=<label>` is put before the arguments. */
  readonly addName: boolean;
  /** Host CPUs that it may run on. Ascending, without duplicates. */
  readonly cpuids: readonly number[];
  /** MB. */
  readonly memory: number;
  readonly blocks: readonly BlockAttachment[];
  readonly bridges: readonly BridgeAttachment[];
  /** Absent and empty differ on the wire alone. */
  readonly arguments?: readonly string[];
  /** Virtual CPUs. */
  readonly cpus: number;
  readonly linuxBootPartition?: string;
}

export interface UnikernelConfig extends Settings {
  readonly typ: Typ;
}

/** An image as it travels: the bytes are a view into what was received. */
export interface Image {
  /** Whether the bytes are a zlib stream. */
  readonly compressed: boolean;
  readonly bytes: Uint8Array;
}

/** A device of a running unikernel, as `info` tells it. */
export interface BlockInfo {
  readonly unikernelDevice: string;
  readonly hostDevice: string;
  /** Bytes. */
  readonly sectorSize: number;
  /** MB. */
  readonly size: number;
}

export interface BridgeInfo {
  readonly unikernelDevice: string;
  readonly hostDevice: string;
  readonly mac: Uint8Array;
}

/** What `info` tells of one unikernel. */
export interface UnikernelInfo {
  readonly typ: Typ;
  readonly startup?: number;
  readonly failBehaviour: FailBehaviour;
  readonly cpuids: readonly number[];
  /** MB. */
  readonly memory: number;
  /** SHA-256 of the uncompressed image. */
  readonly digest: Uint8Array;
  readonly blocks: readonly BlockInfo[];
  readonly bridges: readonly BridgeInfo[];
  readonly arguments?: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly started?: number;
  readonly cpus: number;
  readonly linuxBootPartition?: string;
}

/** The label of the host's block device behind an attachment. */
export function hostDevice(block: BlockAttachment): string {
  return block.device ?? block.name;
}

/** The host's bridge behind an attachment. */
export function hostBridge(bridge: BridgeAttachment): string {
  return bridge.bridge ?? bridge.netif;
}
