import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseDaemonWords } from "../../src/cli/daemon_options.ts";
import { hex, readLines, unhex } from "../codec/vectors.ts";
import { replay } from "./replay.ts";
import { requested, say, temporaryFolder } from "./terminal.ts";

interface Conversation {
  readonly words: readonly string[];
  readonly sent: string;
  readonly socket: string;
  readonly answer: readonly string[];
  readonly stdout: string;
}

const folder = temporaryFolder();
mkdirSync(join(folder, "util"));

const conversations = readLines<Conversation>("cli/stats.jsonl").map((one, index) => [index, one] as const);

// Recorded from albatross-stats 2.7.2: see test/vector/cli. albatross-client leaves the names out.
test.for(conversations)(
  "run, in a replay of albatross-stats: %i",
  async ([, { words, sent, socket, answer, stdout }]) => {
    const server = await replay(join(folder, "util", `${socket}.sock`), Buffer.concat(answer.map(unhex)));
    const said = await say([...words, "--tmpdir", folder], folder);
    server.close();
    expect(server.received.map(hex)).toEqual([sent]);
    const lines = said.stdout.split("\n");
    const shown = words.includes("dev:fake") ? "[unikernel: dev:fake]" : "[unikernel: dev:net]";
    expect(lines.filter((line) => line === shown)).toHaveLength(answer.length - 1);
    expect({ ...said, stdout: lines.filter((line) => line !== shown && line !== "") }).toEqual({
      status: 0,
      stdout: stdout.split("\n").filter((line) => line !== ""),
      stderr: "",
    });
  },
);

test("stats-add takes albatross-client's flags", async () => {
  const words = [
    "stats-add",
    "1234",
    "--vmmdev=solo5-1234",
    "--bridge=service:vmmtap0",
    "--bridge",
    "b:t",
    "-n",
    "a:net",
  ];
  expect(await requested(words, folder)).toMatchObject({
    name: { path: ["a"], label: "net" },
    command: {
      ...{ kind: "stats-add", vmmdev: "solo5-1234", pid: 1234 },
      network: [
        { bridge: "service", tap: "vmmtap0" },
        { bridge: "b", tap: "t" },
      ],
    },
  });
  expect(await requested(["stats-add", "1"], folder)).toMatchObject({
    name: { path: [] },
    command: { kind: "stats-add", vmmdev: "", pid: 1, network: [] },
  });
});

test.for([["0"], ["-1"], ["x"], ["1", "--bridge=a"], ["1", "--bridge=a:b:c"], ["1", "--bridge=:b"]])(
  "stats-add refuses %j",
  async (words) => {
    expect(await say(["stats-add", ...words], folder)).toMatchObject({ status: 124, stdout: "" });
  },
);

test("stats-remove is not asked of a server", async () => {
  expect(await say(["stats-remove", "-d", "host", "-n", "net"], folder)).toMatchObject({
    status: 124,
    stderr: expect.stringContaining("stats remove is not for a client's certificate"),
  });
});

test.for([
  [["--metrics", "9100"], { metrics: { kind: "tcp", host: "127.0.0.1", port: 9100 } }],
  [["--metrics", ":9100"], { metrics: { kind: "tcp", host: "127.0.0.1", port: 9100 } }],
  [["--metrics", "10.0.0.1:9100"], { metrics: { kind: "tcp", host: "10.0.0.1", port: 9100 } }],
  [["--metrics", "[::1]:9100"], { metrics: { kind: "tcp", host: "::1", port: 9100 } }],
  [["--metrics", "unix:/run/m.sock"], { metrics: { kind: "unix", path: "/run/m.sock" } }],
  [["--influx", "10.0.0.2"], { influx: { host: "10.0.0.2", port: 8094 }, influxFullNames: false }],
  [["--influx", "[fd00::2]:99"], { influx: { host: "fd00::2", port: 99 } }],
  [["--influx", "tsdb:8086", "--influx-full-names"], { influx: { host: "tsdb", port: 8086 }, influxFullNames: true }],
  [["--interval", "3"], { interval: 3 }],
  [[], { interval: 10 }],
] as const)("fulmard reads %j", ([words, meant]) => {
  expect(parseDaemonWords(words)).toMatchObject(meant);
});
