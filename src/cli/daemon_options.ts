/**
 * The command line of fulmard.
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import type { TenderKind } from "../core/manifest.ts";
import { version } from "../core/version.ts";

export interface DaemonWords {
  readonly tmpdir: string;
  readonly dbdir: string;
  readonly tenders: readonly TenderKind[];
  readonly allowTcg: boolean;
  readonly cage: boolean;
  /** Seconds. */
  readonly grace: number;
  /** How often `-v` was said. */
  readonly verbose: number;
}

/** Exits with 0 for --help and --version, and with 1 where the words are wrong. */
export function parseDaemonWords(argv: readonly string[]): DaemonWords {
  return new Command("fulmard")
    .description("Runs Solo5 unikernels within what was delegated to whoever asks.")
    .version(version)
    .option("--tmpdir <dir>", "where the sockets and consoles are", "/run/fulmar")
    .option("--dbdir <dir>", "where the images, the block devices and the store are", "/var/lib/fulmar")
    .option("--tenders <kinds>", "the tenders that this host offers: hvt, spt, virtio", parseTenders, ["hvt", "spt"])
    .option("--allow-tcg", "run virtio images in QEMU without KVM, which is no security boundary", false)
    .option("--no-cage", "run guests as the daemon's own user, for development")
    .option("--grace <seconds>", "how long a guest has to end before it is killed", parseSeconds, 10)
    .option("-v, --verbose", "say more (repeatable)", (_, level: number) => level + 1, 0)
    .parse(argv, { from: "user" })
    .opts<DaemonWords>();
}

function parseTenders(text: string): readonly TenderKind[] {
  return text.split(",").map((kind) => {
    if (kind === "hvt" || kind === "spt" || kind === "virtio") return kind;
    throw new InvalidArgumentError("The tenders are hvt, spt and virtio.");
  });
}

function parseSeconds(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError("A number of seconds is wanted.");
  return Number(text);
}
