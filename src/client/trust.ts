/**
 * Who is let in: locks and revocation lists.
 *
 * @module
 */
import { printPath } from "../core/name.ts";
import { crlLabel } from "../x509/crl.ts";
import { describePemError } from "../x509/describe.ts";
import { type PemError, parsePem } from "../x509/pem.ts";
import { problem } from "./problem.ts";
import { expectText, expectWord, type Question } from "./question.ts";
import { fail } from "./server.ts";
import { readPath } from "./values.ts";

/** A locked path. */
export interface PathLock {
  /** In full, `alice:bob`; empty for the root. */
  readonly path: string;
  /** The path of whoever locked it, in full; empty for the host. */
  readonly owner: string;
  readonly since: Date;
}

export class Trust {
  readonly #question: Question;

  constructor(question: Question) {
    this.#question = question;
  }

  /** Refuses everybody at the path and below; what runs goes on. */
  async lock(path: string): Promise<void> {
    expectText(await this.#question.ask({ path: [] }, { kind: "lock", path: readPath(path) }));
  }

  async unlock(path: string): Promise<void> {
    expectText(await this.#question.ask({ path: [] }, { kind: "unlock", path: readPath(path) }));
  }

  /** At and below the path; without one all. */
  async locks(path: string = ""): Promise<PathLock[]> {
    const { header, success } = await this.#question.ask({ path: readPath(path) }, { kind: "locks" });
    if (success.kind !== "locks") return expectWord(success.kind);
    return success.locks.map(({ name, value: { owner, since } }) => ({
      path: printPath([...header.name.path, ...name.path]),
      owner: printPath(owner),
      since: new Date(since),
    }));
  }

  /**
   * Puts a revocation list in force.
   *
   * @param crl - PEM
   * @param authority - the certificate of the authority whose list it is, PEM
   */
  async pushCrl(crl: string, authority: string): Promise<void> {
    const command = {
      kind: "push-crl",
      crl: readBlock(crl, crlLabel),
      authority: readBlock(authority, "CERTIFICATE"),
    } as const;
    expectText(await this.#question.ask({ path: [] }, command));
  }
}

function readBlock(pem: string, label: string): Uint8Array {
  const blocks = parsePem(pem);
  if (!blocks.ok) return bad(blocks.error);
  return blocks.value.find((block) => block.label === label)?.der ?? bad({ kind: "pem-missing", label });
}

function bad(error: PemError): never {
  return fail(problem("usage", `what was given: ${describePemError(error)}`));
}
