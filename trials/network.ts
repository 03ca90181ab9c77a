/**
 * A network of its own, with the bridge that guests are put on; it goes with
 * this process, however that ends.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export class Network {
  /** In front of a command line: what makes it run in there. */
  readonly words: readonly string[];
  readonly #keeper: ChildProcess;

  private constructor(keeper: ChildProcess) {
    this.#keeper = keeper;
    this.words = ["nsenter", `--net=/proc/${keeper.pid}/ns/net`, "--"];
  }

  /** Takes root. */
  static async open(): Promise<Network> {
    const keeper = spawn("unshare", ["--net", "--", "sh", "-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    const ready = await Promise.race([once(keeper.stdout, "data"), once(keeper, "exit")]);
    if (!(ready[0] instanceof Buffer)) throw new Error("no network of our own can be had");
    return new Network(keeper);
  }

  close(): void {
    this.#keeper.kill("SIGKILL");
  }
}

/** Whoever has it open ends with us: its standard input does. */
const script = `
ip link set lo up && ip link add service type bridge && ip link set service up && echo ready && exec cat >/dev/null
`;
