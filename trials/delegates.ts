/**
 * Delegates as the endpoint tells the daemon of them: what their certificates
 * say, without TLS.
 *
 * @module
 */
import { issue } from "../bench/pki.ts";
import { Client } from "../src/client/client.ts";
import { describeConnection } from "../src/client/describe.ts";
import { askAlone, Connections, fail, type Server } from "../src/client/server.ts";
import { sendAll } from "../src/client/upload.ts";
import { readPath } from "../src/client/values.ts";
import { encodeMessage, type Wire } from "../src/codec/wire.ts";
import type { Command, Level } from "../src/core/command.ts";
import type { Name } from "../src/core/name.ts";
import type { Policy } from "../src/core/policy.ts";
import type { Connection } from "../src/host/client_connection.ts";
import { connectLocal } from "../src/host/client_local.ts";
import type { Pieces } from "../src/host/client_transfer.ts";
import { certificateId } from "../src/x509/certificate_id.ts";
import { issueCrl } from "../src/x509/issue_crl.ts";
import { encodeCertificates, encodePem } from "../src/x509/pem.ts";

/** Somebody below alice: his commands come with her delegation and his. */
export function bobsClient(tmpdir: string): Client {
  return new Client(new ChainServer(`${tmpdir}/util/chain.sock`));
}

/** Alice's revocation list, and her certificate, PEM. @param revokes - whether bob is on it */
export function alicesList(number: number, revokes: boolean): readonly [crl: string, authority: string] {
  const { alice, bob } = people();
  const now = Date.now();
  const crl = issueCrl({
    ...{ issuer: alice.certificate, issuerKey: alice.key, number },
    ...{ thisUpdate: now - 60_000, nextUpdate: now + 86_400_000 },
    revoked: revokes ? [{ serial: bob.certificate.serial, time: now - 60_000 }] : [],
  });
  return [encodePem("X509 CRL", crl), encodeCertificates([alice.certificate.raw])];
}

class ChainServer implements Server {
  /** Every image follows its request. */
  readonly whole = 0;
  readonly #path: string;
  readonly #connections: Connections = new Connections();

  constructor(path: string) {
    this.#path = path;
  }

  ask(name: Name, command: Command): Promise<Wire> {
    return askAlone(this, name, command);
  }

  async open({ label }: Name, command: Command, upload?: Pieces): Promise<Connection> {
    this.#connections.check();
    const opened = await connectLocal(this.#path);
    if (!opened.ok) return fail(describeConnection(opened.error));
    const connection = this.#connections.add(opened.value);
    const levels = people().levels;
    const own = label === undefined ? {} : { label };
    const name = { path: levels.map((level) => level.label), ...own };
    const common = { leaf: new Uint8Array(32), expires: Date.now() + 300_000, certificates: [] };
    const request = { levels, ...own, ...common, command, imageFollows: upload !== undefined };
    const payload = { kind: "request", request } as const;
    await connection.send(encodeMessage({ header: { version: 5, sequence: 0n, name }, payload }));
    if (upload !== undefined) await sendAll(connection, upload);
    return connection;
  }

  end(connection: Connection): void {
    this.#connections.end(connection);
  }

  close(): void {
    this.#connections.close();
  }
}

type Holder = ReturnType<typeof issue>;

interface People {
  readonly alice: Holder;
  readonly bob: Holder;
  /** Alice's and bob's. */
  readonly levels: readonly Level[];
}

let made: People | undefined;

function people(): People {
  made ??= makePeople();
  return made;
}

function makePeople(): People {
  const root = issue("ed25519", "authority", "root");
  const alice = issue("ed25519", "authority", "alice", root, { kind: "policy-add", policy: alicesPolicy });
  const bob = issue("ed25519", "authority", "bob", alice, { kind: "policy-add", policy: bobsPolicy });
  const level = (label: string, policy: Policy, { certificate }: Holder, issuer: Holder): Level => ({
    label: readPath(label)[0] ?? fail({ status: "usage", text: label }),
    policy,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    fingerprint: new Uint8Array(32),
    certificate: certificateId(certificate, issuer.certificate),
  });
  return { alice, bob, levels: [level("alice", alicesPolicy, alice, root), level("bob", bobsPolicy, bob, alice)] };
}

/** What the host's administrator has given her, too. */
export const alicesPolicy: Policy = { unikernels: 3, memory: 256, cpuids: [0], block: 8, bridges: ["service"] };

const bobsPolicy: Policy = { unikernels: 1, memory: 64, cpuids: [0], bridges: [] };
