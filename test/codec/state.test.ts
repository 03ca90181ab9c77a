import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeDer, explicit, nul, sequence, sequenceOf, text } from "../../src/codec/der_writer.ts";
import { writePolicy } from "../../src/codec/policy.ts";
import { decodeState, encodeState, type HostState } from "../../src/codec/state.ts";
import { type Name, printName } from "../../src/core/name.ts";
import { config, image, mutated, name, policy } from "./arbitrary.ts";
import { currentLive, fixtures, liveStates, stateVectors } from "./state_files.ts";
import { hex, stable, unhex } from "./vectors.ts";

test.for(stateVectors.map(({ id }, at) => [id, at] as const))(
  "decodeState reads %s, and encodeState writes what albatross does for it",
  ([, at]) => {
    const vector = stateVectors[at];
    const decoded = decodeState(unhex(vector?.der ?? ""));
    expect(decoded.ok && hex(encodeState(decoded.value))).toBe(vector?.reencoded);
    expect(decoded.ok && decoded.value.unikernels.map((one) => printName(one.name))).toEqual(
      vector?.unikernels.map(([spelled]) => spelled),
    );
    expect(decoded.ok && decoded.value.policies.map((one) => printName(one.name))).toEqual(
      vector?.policies.map(([spelled]) => spelled),
    );
  },
);

test.skipIf(fixtures === undefined)(
  "decodeState reads albatross's own test data (skipped where it is not beside the checkout)",
  () => {
    expect(fixtures?.length).toBeGreaterThan(0);
    for (const { id, der, reencoded } of fixtures ?? []) {
      const decoded = decodeState(unhex(der));
      expect([id, decoded.ok && hex(encodeState(decoded.value))]).toEqual([id, reencoded === "same" ? der : reencoded]);
    }
  },
);

test("decodeState reads the same unikernels from all encodings of one state, as far as they say it", () => {
  const read = new Map([...liveStates].map(([encoding, bytes]) => [encoding, stateIn(bytes)]));
  const now = read.get(currentLive);
  expect(now?.unikernels).toHaveLength(4);
  for (const state of read.values()) {
    expect(state.unikernels.map((one) => [printName(one.name), ...essence(one)])).toEqual(
      now?.unikernels.map((one) => [printName(one.name), ...essence(one)]),
    );
  }
  for (const encoding of ["3-with-policies", "4-with-policies"])
    expect(read.get(encoding)?.policies).toEqual(now?.policies);
  expect(hex(encodeState(stateIn(liveStates.get(currentLive))))).toBe(hex(liveStates.get(currentLive) ?? unhex("")));
});

test("decodeState refuses a name that comes twice, however it is spelled", () => {
  const policyAt = (spelled: string) => sequence(text(spelled), writePolicy(limits));
  const limits = { unikernels: 1, cpuids: [0], memory: 32, bridges: [] };
  const state = (...names: readonly string[]) =>
    decodeState(encodeDer(explicit(6, sequence(sequence(), sequenceOf(names, policyAt)))));
  expect(state("alice:", "alice:bob:")).toMatchObject({ ok: true });
  expect(state("alice:", "Alice:")).toMatchObject({ ok: false, error: { problem: "name-repeated" } });
  expect(state("alice:", ":alice")).toMatchObject({ ok: false, error: { problem: "name-repeated" } });
});

test.for([7, 8, 30])("decodeState refuses the unknown encoding %i", (tag) => {
  expect(decodeState(encodeDer(explicit(tag, nul)))).toMatchObject({ ok: false, error: { problem: "tag-unexpected" } });
});

test("decodeState reads images as views", () => {
  const bytes = liveStates.get(currentLive) ?? unhex("");
  for (const { value } of stateIn(bytes).unikernels) expect(value.image.bytes.buffer).toBe(bytes.buffer);
});

test("encodeState writes in pre-order, siblings ascending", () => {
  const written = encodeState({ unikernels: [], policies: ["a:b", "a", "", "a-", "a.:z"].map(policyOf) });
  expect(stateIn(written).policies.map((one) => printName(one.name))).toEqual([":", "a:", "a:b:", "a-:", "a.:z:"]);
});

const bySpelling = { maxLength: 4, selector: (one: { readonly name: Name }) => printName(one.name) };

const states: fc.Arbitrary<HostState> = fc.record({
  unikernels: fc.uniqueArray(fc.record({ name, value: fc.record({ config, image }) }), bySpelling),
  policies: fc.uniqueArray(fc.record({ name: name.map(({ path }) => ({ path })), value: policy }), bySpelling),
});

test("decodeState gives back what encodeState was given, and encodeState its bytes", () => {
  fc.assert(
    fc.property(states, (state) => {
      const bytes = encodeState(state);
      const decoded = stateIn(bytes);
      expect(sorted(decoded)).toEqual(sorted(state));
      expect(hex(encodeState(decoded))).toBe(hex(bytes));
    }),
    { numRuns: 300 },
  );
});

test("no bytes make decodeState throw, and what it accepts of changed files means the same once it is written again", () => {
  const valid = fc.oneof(
    states.map(encodeState),
    fc.constantFrom(...stateVectors.filter(({ der }) => der.length < 4000).map(({ der }) => unhex(der))),
  );
  fc.assert(
    fc.property(mutated(valid), (bytes) => {
      const decoded = decodeState(bytes);
      if (!decoded.ok) return;
      const again = decodeState(encodeState(decoded.value));
      expect(again.ok && stable(again.value)).toBe(stable(decoded.value));
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(decodeState(bytes).ok).toBe(false);
    }),
  );
});

function stateIn(bytes: Uint8Array | undefined): HostState {
  const decoded = decodeState(bytes ?? new Uint8Array(0));
  if (!decoded.ok) throw new Error(`${decoded.error.problem} at ${decoded.error.at}`);
  return decoded.value;
}

/** What every encoding says. */
function essence({ value: { config: asked, image: carried } }: HostState["unikernels"][number]): readonly unknown[] {
  const devices = [asked.blocks.length, asked.bridges.length];
  return [asked.typ, asked.cpuids, asked.memory, asked.arguments, devices, carried.compressed, hex(carried.bytes)];
}

function sorted({ unikernels, policies }: HostState): readonly string[] {
  return [...unikernels, ...policies].map(stable).sort((a, b) => (a < b ? -1 : 1));
}

function policyOf(path: string): HostState["policies"][number] {
  const decoded = decodeState(
    encodeDer(explicit(6, sequence(sequence(), sequence(sequence(text(`${path}:`), writePolicy(empty)))))),
  );
  const [one] = decoded.ok ? decoded.value.policies : [];
  if (one === undefined) throw new Error(path);
  return one;
}

const empty = { unikernels: 0, cpuids: [], memory: 0, bridges: [] };
