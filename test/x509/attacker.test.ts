import type { KeyObject } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeExtension } from "../../src/codec/extension.ts";
import { readAuthority } from "../../src/x509/authority.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { encodeName } from "../../src/x509/distinguished_name.ts";
import { oids } from "../../src/x509/oid.ts";
import { type Purpose, verifyPath } from "../../src/x509/path.ts";
import { SignatureCache } from "../../src/x509/signature.ts";
import {
  addPolicy,
  authority,
  client,
  delegate,
  forgeDer,
  freshKey,
  type Holder,
  info,
  leaf,
  now,
  policy,
  root,
  type Shape,
  server,
} from "./forge.ts";
import { fieldChanges } from "./mutation.ts";
import { must } from "./vectors.ts";

/**
 * Mallory holds the key of one delegate's certificate, and everybody's certificates are public. She makes certificates of
 * any shape, in anybody's name, and presents any of them in any order.
 */
const anchor = root();
const mallory = delegate("mallory", anchor);
const bob = delegate("bob", anchor, { command: { kind: "policy-add", policy: { ...policy, unikernels: 1000 } } });
const plain = forgePlain();
const publicly = [anchor, mallory, bob, plain, delegate("carol", bob), leaf(bob), leaf(plain)];

/** An authority that adds no level, as mighty as the anchor. */
function forgePlain(): Holder {
  const key = freshKey();
  const certificate = must(parseCertificate(forgeDer({ ...authority, name: "plain", issuer: anchor, key })));
  return { certificate, key };
}

const her = [mallory.key, freshKey(), freshKey()] as const;

interface Minting {
  readonly shape: Shape;
  readonly key: number;
  /** Absent: the issuer's key, where she has it. */
  readonly signer: number | undefined;
  /** Whose name and key identifier stand for the issuer's: somebody's, or an earlier minting's. */
  readonly issuer: number;
  readonly change: string;
}

const richest = { kind: "policy-add", policy: { ...policy, unikernels: 1_000_000 } } as const;
const shapes: readonly Shape[] = [
  { ...client, command: info },
  { ...client, command: addPolicy },
  { ...server },
  { ...authority, command: richest },
  { ...authority },
  { ...authority, purposes: [oids.serverAuth, oids.clientAuth] },
  { ca: true, usage: 0xff, command: encodeExtension(info) },
];

const minting: fc.Arbitrary<Minting> = fc.record({
  shape: fc
    .tuple(fc.constantFrom(...shapes), fc.constantFrom("root", "mallory", "bob", "plain", "carol", "vm", "server"))
    .map(([shape, name]) => ({ ...shape, name })),
  key: fc.nat(her.length - 1),
  signer: fc.option(fc.nat(her.length - 1), { nil: undefined, freq: 3 }),
  issuer: fc.oneof(
    { weight: 2, arbitrary: fc.constant(publicly.indexOf(mallory)) },
    { weight: 2, arbitrary: fc.nat(2).map((earlier) => publicly.length + earlier) },
    { weight: 1, arbitrary: fc.nat(publicly.length - 1) },
  ),
  change: fc.oneof({ weight: 3, arbitrary: fc.constant("none") }, fc.constantFrom(...Object.keys(fieldChanges))),
});

/** What can be read of what she makes, in its order. */
function mint(mintings: readonly Minting[]): readonly Certificate[] {
  const made: Holder[] = [];
  for (const { shape, key, signer, issuer, change } of mintings) {
    const above = publicly[issuer] ?? made[issuer - publicly.length] ?? mallory;
    const right = above === mallory || made.includes(above) ? above.key : pick(key);
    const signing = signer === undefined ? right : pick(signer);
    const named = { ...shape, key: pick(key), issuer: { certificate: above.certificate, key: signing } };
    const parsed = parseCertificate(forgeDer(fieldChanges[change]?.(named) ?? named));
    if (parsed.ok) made.push({ certificate: parsed.value, key: pick(key) });
  }
  return made.map(({ certificate }) => certificate);
}

function pick(index: number): KeyObject {
  return her[index] ?? mallory.key;
}

/** Mintings, and what is presented of these and of what is public: by number, her own from 0. */
const attack = fc.record({
  mintings: fc.array(minting, { minLength: 1, maxLength: 4 }),
  order: fc.array(fc.nat(4 + publicly.length), { maxLength: 4 }),
});

function present({ mintings, order }: { readonly mintings: readonly Minting[]; readonly order: readonly number[] }) {
  const made = mint(mintings);
  const [first, ...others] = made.toReversed();
  const pool = [...made, ...publicly.map(({ certificate }) => certificate)];
  const chosen = order.flatMap((index) => pool[index] ?? []);
  // Mostly what could work: her last one, then what she made before, or hers.
  const straight = [first, ...others, mallory.certificate].filter((it) => it !== undefined);
  return { made, lists: [straight, [first, mallory.certificate].filter((it) => it !== undefined), chosen] };
}

const cache = new SignatureCache(1000);

function verify(list: readonly Certificate[], purpose: Purpose) {
  const cold = verifyPath(list, anchor.certificate, now, purpose);
  expect(verifyPath(list, anchor.certificate, now, purpose, cache).ok).toBe(cold.ok);
  return cold;
}

test("whoever holds one delegate's key gets no path but below that delegate, and never a server's", () => {
  let accepted = 0;
  fc.assert(
    fc.property(attack, (one) => {
      const { made, lists } = present(one);
      for (const list of lists) {
        // TLS asks for the leaf's key, which of public certificates she does not have.
        if (!made.some((it) => it === list[0])) continue;
        expect(verify(list, "server").ok).toBe(false);
        const path = verify(list, "client");
        if (!path.ok) continue;
        accepted++;
        expect(path.value.intermediates.at(-1)).toBe(mallory.certificate);
        const asked = readAuthority(path.value);
        if (asked.ok) expect(asked.value.levels[0]).toMatchObject({ label: "mallory", policy });
      }
    }),
    { numRuns: 800 },
  );
  expect(accepted).toBeGreaterThan(20);
});

test("a sub-CA of the anchor's name and key identifier is no anchor", () => {
  const namesake = delegate("root", mallory, { subject: encodeName("root") });
  const fake = leaf(namesake);
  const path = verifyPath(
    [fake, namesake].map(({ certificate }) => certificate),
    anchor.certificate,
    now,
    "client",
  );
  expect(path).toMatchObject({ ok: false, error: { kind: "not-issued-by-next", at: 1 } });
});
