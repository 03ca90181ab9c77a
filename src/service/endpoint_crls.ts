/**
 * The revocation lists of a folder beside the endpoint.
 *
 * A list holds from the moment that a certificate of its authority is met: one
 * in the folder, the trust anchor, or one of a chain. Then it is looked into
 * here, and handed to the daemon, which keeps it for every endpoint and also
 * ends what was let in before. Files that are bad, older or gone take nothing
 * away: what held goes on.
 *
 * @module
 */
import { encodeMessage } from "../codec/wire.ts";
import { linksOf } from "../core/admission.ts";
import type { Refusal } from "../core/refusal.ts";
import type { Result } from "../core/result.ts";
import { checkRevoked, putList, type Revocation } from "../core/revocation.ts";
import { connectLocal } from "../host/client_local.ts";
import { CrlFolder, type FolderFile } from "../host/crl_folder.ts";
import type { IoError } from "../host/io.ts";
import type { Log } from "../host/log.ts";
import type { Authority } from "../x509/authority.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { authorityId } from "../x509/certificate_id.ts";
import { type Crl, crlLabel, parseCrl, verifyCrl } from "../x509/crl.ts";
import { describePemError } from "../x509/describe.ts";
import { describeCrlError } from "../x509/describe_crl.ts";
import type { VerifiedPath } from "../x509/path.ts";
import { parsePem } from "../x509/pem.ts";
import { listOf } from "./revocation_list.ts";

/** A list of the folder. */
interface Candidate {
  readonly file: string;
  readonly crl: Crl;
  /** Authorities that have been tried on it. */
  readonly tried: WeakSet<Certificate>;
}

interface Contents {
  readonly crls: readonly Crl[];
  /** Of authorities, so that their lists hold before one of their chains comes. */
  readonly certificates: readonly Certificate[];
  readonly problems: readonly string[];
}

interface ReadFile {
  readonly text: string;
  readonly candidates: readonly Candidate[];
  readonly certificates: readonly Certificate[];
}

/** A list whose authority was met, until the daemon has said what it makes of it. */
interface News {
  readonly file: string;
  readonly crl: Uint8Array;
  readonly authority: Uint8Array;
}

export class EndpointCrls {
  readonly #socket: string;
  readonly #anchor: Certificate;
  readonly #log: Log;
  /** By the issuer's name. */
  #candidates: ReadonlyMap<string, readonly Candidate[]> = new Map();
  /** Those whose authority was met. */
  readonly #held: WeakSet<Crl> = new WeakSet();
  /** By name; one that is gone stays until its authority was met. */
  readonly #files: Map<string, ReadFile> = new Map();
  #news: readonly News[] = [];
  #telling = false;
  #following = false;
  /** Authorities of chains that came, by what they are. */
  readonly #met: Map<string, Certificate> = new Map();
  /** Whether a list is stale is for the daemon to judge, which has the newest. */
  #revocation: Revocation = { rules: { stale: "accept", grace: 0, stop: false }, lists: undefined };

  /** @param socket - the daemon's `chain.sock` */
  constructor(socket: string, anchor: Certificate, log: Log) {
    this.#socket = socket;
    this.#anchor = anchor;
    this.#log = log;
  }

  /** Follows the folder until what this gives is called. */
  async open(path: string): Promise<Result<() => void, IoError>> {
    const folder = new CrlFolder(path, (files) => this.#take(files), this.#log);
    const opened = await folder.open();
    this.#following = opened.ok;
    return opened.ok ? { ok: true, value: () => folder.close() } : opened;
  }

  /** Why a chain is not taken, if a list of the folder says so. @param now - ms since the Unix epoch */
  check(path: VerifiedPath, authority: Authority, now: number): Refusal | undefined {
    if (!this.#following) return undefined;
    for (const signer of path.intermediates) {
      this.#remember(signer);
      this.#meet(signer);
    }
    return checkRevoked(this.#revocation, linksOf(authority), now);
  }

  /** Whoever comes again is not forgotten: of those who came lately, new lists hold at once. */
  #remember(signer: Certificate): void {
    const id = authorityId(signer);
    this.#met.delete(id);
    this.#met.set(id, signer);
    if (this.#met.size <= maxMet) return;
    const [oldest] = this.#met.keys();
    if (oldest !== undefined) this.#met.delete(oldest);
  }

  #take(files: readonly FolderFile[]): void {
    for (const { name, text } of files) {
      const before = this.#files.get(name);
      if (before?.text === text) continue;
      const { crls, certificates, problems } = readFile(text);
      for (const problem of problems) this.#log.error({ file: name, problem }, "cannot read a revocation list");
      const candidates = crls.map((crl): Candidate => ({ file: name, crl, tried: new WeakSet() }));
      // A bad file takes nothing away.
      const kept = candidates.length > 0 ? candidates : (before?.candidates ?? []);
      this.#files.set(name, { text, candidates: kept, certificates });
    }
    const there = new Set(files.map(({ name }) => name));
    for (const [name, { candidates }] of this.#files) {
      if (!there.has(name) && candidates.every(({ crl }) => this.#held.has(crl))) this.#files.delete(name);
    }
    const all = [...this.#files.values()];
    this.#candidates = group(all.flatMap(({ candidates }) => candidates));
    for (const certificate of [this.#anchor, ...this.#met.values(), ...all.flatMap(({ certificates }) => certificates)])
      this.#meet(certificate);
    void this.#tell();
  }

  /** Lists of the authority hold from now on. */
  #meet(authority: Certificate): void {
    for (const { file, crl, tried } of this.#candidates.get(keyOf(authority.subject.bytes)) ?? []) {
      if (tried.has(authority)) continue;
      tried.add(authority);
      if (!verifyCrl(crl, authority).ok) continue;
      this.#held.add(crl);
      const changed = putList(this.#revocation, [], listOf(authorityId(authority), crl));
      if (!changed.ok) this.#log.warn({ file, refusal: changed.error.kind }, "a revocation list is not taken");
      else if (changed.value !== undefined) {
        this.#revocation = changed.value;
        this.#news = [...this.#news, { file, crl: crl.raw, authority: authority.raw }];
        void this.#tell();
      }
    }
  }

  /** Hands the daemon what it has not been told, one after the other; what it cannot be told now, it is told later. */
  async #tell(): Promise<void> {
    if (this.#telling || this.#news.length === 0) return;
    this.#telling = true;
    try {
      for (let next = this.#news[0]; next !== undefined; next = this.#news[0]) {
        if (!(await this.#push(next))) return;
        this.#news = this.#news.slice(1);
      }
    } finally {
      this.#telling = false;
    }
  }

  /** @returns whether the daemon has answered */
  async #push({ file, crl, authority }: News): Promise<boolean> {
    const connection = await connectLocal(this.#socket);
    if (!connection.ok) return false;
    const command = { kind: "push-crl", crl, authority } as const;
    const header = { version: 5, sequence: 0n, name: { path: [] } } as const;
    await connection.value.send(encodeMessage({ header, payload: { kind: "command", command } }));
    const answer = await connection.value.messages(patience).next();
    connection.value.close();
    if (answer.done === true || !answer.value.ok) return false;
    const { payload } = answer.value.value;
    if (payload.kind === "failure") this.#log.warn({ file, answer: payload.text }, "the daemon has not taken a list");
    else this.#log.info({ file }, "the daemon has a revocation list");
    return true;
  }
}

function readFile(text: string): Contents {
  const blocks = parsePem(text);
  if (!blocks.ok) return { crls: [], certificates: [], problems: [describePemError(blocks.error)] };
  const of = (wanted: string): readonly Uint8Array[] =>
    blocks.value.flatMap(({ label, der }) => (label === wanted ? [der] : []));
  const crls = of(crlLabel).map(parseCrl);
  return {
    crls: crls.flatMap((crl) => (crl.ok ? [crl.value] : [])),
    problems: crls.flatMap((crl) => (crl.ok ? [] : [describeCrlError(crl.error)])),
    certificates: of("CERTIFICATE")
      .map(parseCertificate)
      .flatMap((certificate) => (certificate.ok ? [certificate.value] : [])),
  };
}

/** By the issuer's name. */
function group(candidates: readonly Candidate[]): ReadonlyMap<string, readonly Candidate[]> {
  const grouped = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const key = keyOf(candidate.crl.issuer.bytes);
    grouped.set(key, [...(grouped.get(key) ?? []), candidate]);
  }
  return grouped;
}

function keyOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString("latin1");
}

/** Authorities, of some kilobytes each. */
const maxMet = 1000;

/** Milliseconds that the daemon has for an answer. */
const patience = 30_000;
