import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeState, encodeState } from "../../src/codec/state.ts";
import { parseName } from "../../src/core/name.ts";
import { currentLive, liveStates, stateFolder, stateVectors } from "../codec/state_files.ts";
import { unhex } from "../codec/vectors.ts";
import { say, temporaryFolder } from "./terminal.ts";

const live = join(stateFolder, "live");
const now = Date.UTC(2026, 10, 22, 5, 21, 3, 999);

test.for([...liveStates.keys()])(
  "inspect-dump shows what albatross does for a state of encoding %s",
  async (encoding) => {
    const said = await say(["inspect-dump", "--dbdir", live, "--file", `state.${encoding}`], live);
    const golden = readFileSync(join(live, `state.${encoding}.inspect.txt`), "utf8");
    expect(said).toMatchObject({ status: 0, stderr: "" });
    expect(collapse(said.stdout)).toBe(collapse(golden));
  },
);

test.for(stateVectors.map(({ id }, at) => [id, at] as const))(
  "inspect-dump shows what albatross does for %s",
  async ([id, at]) => {
    const folder = temporaryFolder();
    const vector = stateVectors[at];
    writeFileSync(join(folder, "state"), unhex(vector?.der ?? ""));
    const said = await say(["inspect-dump", "--dbdir", folder], folder);
    const golden = readFileSync(join(stateFolder, "vectors", `${id}.inspect.txt`), "utf8");
    expect(collapse(said.stdout)).toBe(collapse(golden));
    const verbose = await say(["inspect-dump", "-v", "-v", "--file", join(folder, "state")], folder);
    for (const [name, text] of [...(vector?.unikernels ?? []), ...(vector?.policies ?? [])]) {
      expect(collapse(verbose.stdout)).toContain(collapse(`[unikernel: ${name}]: ${text}`));
    }
  },
);

test("extract-dump writes the image, inflated, to a file named after the unikernel and the time", async () => {
  const folder = temporaryFolder();
  const words = ["extract-dump", "--dbdir", live, "--file", `state.${currentLive}`, "dev:full"];
  const said = await say(words, folder, now);
  const file = "dev:full.2026-11-22T05:21:03-00:00";
  expect(said).toMatchObject({ status: 0, stderr: "" });
  expect(said.stdout).toMatch(/^\[unikernel: dev:full\]: typ solo5 compression true image 265 bytes .*\n/);
  expect(said.stdout).toContain(`\ndumped image to ${file}\n`);
  expect(said.stdout).not.toContain("--hello=Hi");
  expect(readdirSync(folder)).toEqual([file]);
  // The digest that albatross's info shows for it.
  expect(sha256(readFileSync(join(folder, file)))).toBe(
    "0ded56f7d15e63443e5ebf940b8e5f22f7a6dbb1e9175a5ba614e0969f27dd96",
  );
  expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
});

test("extract-dump writes an uncompressed image as it is", async () => {
  const folder = temporaryFolder();
  const words = ["extract-dump", "--dbdir", live, "--file", "state.0", "rootuk"];
  expect(await say(words, folder, now)).toMatchObject({ status: 0 });
  expect(sha256(readFileSync(join(folder, ":rootuk.2026-11-22T05:21:03-00:00")))).toBe(
    "4a57e8a6aee7d9325f43cc3560445ae2acba42d65c3b0e771ec0cec2a45aa8e3",
  );
});

test("extract-dump never writes over a file", async () => {
  const folder = temporaryFolder();
  const file = ":rootuk.2026-11-22T05:21:03-00:00";
  writeFileSync(join(folder, file), "mine");
  const said = await say(["extract-dump", "--dbdir", live, "--file", "state.0", "rootuk"], folder, now);
  expect(said.stdout).toContain(`\ndumped image to ${file}.1\n`);
  expect(readdirSync(folder)).toEqual([file, `${file}.1`]);
  expect(readFileSync(join(folder, file), "utf8")).toBe("mine");
});

test.for(["..", ".", "a:..", `${"a".repeat(63)}:${"b".repeat(63)}:${"c".repeat(63)}:${"d".repeat(63)}`])(
  "extract-dump writes the image of %s to this folder",
  async (name) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "state"), renamed(name));
    expect(await say(["extract-dump", "--dbdir", folder, name], folder, now)).toMatchObject({ status: 0, stderr: "" });
    const written = readdirSync(folder).filter((file) => file !== "state");
    expect(written).toHaveLength(1);
    expect(sha256(readFileSync(join(folder, written[0] ?? "")))).toMatch(/^4a57e8a6/);
  },
);

test("extract-dump says which unikernel is not there", async () => {
  const said = await say(["extract-dump", "--dbdir", live, "--file", "state.0", "nobody"], temporaryFolder());
  expect(said).toMatchObject({ status: 124, stdout: "" });
  expect(said.stderr).toContain("there is no unikernel :nobody in it\nhint: inspect-dump");
});

test("extract-dump writes nothing of an image that cannot be inflated", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "state"), unhex(stateVectors.find(({ id }) => id === "state-2")?.der ?? ""));
  const said = await say(["extract-dump", "--dbdir", folder, "foo:my.nice.unikernel"], folder);
  expect(said.status).toBe(121);
  expect(said.stderr).toMatch(/^error: the content is no whole zlib stream: Z_/);
  expect(readdirSync(folder)).toEqual(["state"]);
});

test("a file that is not there, and one that is no state, are said", async () => {
  const folder = temporaryFolder();
  const missing = await say(["inspect-dump", "--dbdir", folder], folder);
  expect(missing).toMatchObject({ status: 124, stdout: "" });
  expect(missing.stderr).toContain(`${folder}/state: there is no such file`);
  writeFileSync(join(folder, "state"), "hello");
  const wrong = await say(["inspect-dump", "--dbdir", folder], folder);
  expect(wrong).toMatchObject({ status: 124, stdout: "" });
  expect(wrong.stderr).toContain("it is no state file of albatross: tag unexpected at byte 0");
});

/** A state with one unikernel of that name, whose image is `:rootuk`'s. */
function renamed(name: string): Uint8Array {
  const bytes = liveStates.get(currentLive);
  const decoded = decodeState(bytes ?? new Uint8Array(0));
  const one = decoded.ok ? decoded.value.unikernels.find((unikernel) => unikernel.name.label === "rootuk") : undefined;
  const parsed = parseName(name);
  if (one === undefined || !parsed.ok) throw new Error(name);
  return encodeState({ unikernels: [{ ...one, name: parsed.value }], policies: [] });
}

function collapse(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
