import { expect, test } from "vitest";
import { checkHealth, readHealth } from "../../src/core/health.ts";
import { aim, checkLink, checkNeighbour, parseProbe } from "../../src/core/probe.ts";

test.for([
  ["tcp:8080", { port: 8080 }],
  ["tcp:10.0.0.2:8080", { address: "10.0.0.2", port: 8080 }],
  ["http://10.0.0.2/", { address: "10.0.0.2", port: 80, target: "/" }],
  ["http://10.0.0.2:8080", { address: "10.0.0.2", port: 8080, target: "/" }],
  ["http://:8080/ok?deep=1", { port: 8080, target: "/ok?deep=1" }],
] as const)("parseProbe reads %s", ([text, probe]) => {
  expect(parseProbe(text)).toEqual({ ok: true, value: probe });
});

test.for([
  ...["", "tcp:", "tcp:0", "tcp:65536", "tcp:localhost:80", "tcp:10.0.0.2", "tcp:10.0.0.256:80", "tcp:010.0.0.2:80"],
  ...["tcp:2130706433:80", "tcp:10.0.2:80", "tcp:::1:80", "tcp:[::1]:80", "http:8080", "https://10.0.0.2/"],
  ...[
    "http://example.org/",
    "http://me@10.0.0.2/",
    "http://10.0.0.2/a b",
    "http://10.0.0.2/\r\nX: y",
    "http://10.0.0.2/#a",
  ],
  ...["http://0x7f.0.0.1/", `http://10.0.0.2/${"x".repeat(512)}`, "console:x"],
])("parseProbe refuses %j", (text) => {
  expect(parseProbe(text)).toEqual({ ok: false, error: { kind: "probe-bad" } });
});

const [mac, other] = ["00:80:41:00:00:02", "00:80:41:00:00:03"];
const port = { bridge: "br0", mac, tap: "fulmar0" };
const ports = [port];
const neighbours = [
  { address: "10.0.0.3", link: "br0", mac: other },
  { address: "10.0.1.2", link: "br1", mac },
  { address: "10.0.0.2", link: "br0", mac },
];

test("aim takes what the probe says, then the arguments, then what the bridge knows", () => {
  const words = ["--ipv4=no", "--ipv4=10.0.0.9/24"];
  expect(aim({ port: 1, address: "10.0.0.8" }, words, ports, neighbours)).toEqual({ ok: true, value: "10.0.0.8" });
  expect(aim({ port: 1 }, words, ports, neighbours)).toEqual({ ok: true, value: "10.0.0.9" });
  expect(aim({ port: 1 }, [], ports, neighbours)).toEqual({ ok: true, value: "10.0.0.2" });
  expect(aim({ port: 1 }, [], ports, neighbours.slice(0, 2))).toEqual({
    ok: false,
    error: { kind: "probe-unaddressed" },
  });
});

test("checkLink takes the unikernel's own bridges alone", () => {
  const error = { kind: "probe-elsewhere", address: "10.0.0.2", bridges: ["br0"] };
  expect(checkLink("10.0.0.2", ["br0"], "br0")).toEqual({ ok: true, value: "br0" });
  expect(checkLink("10.0.0.2", ["br0"], "br1")).toEqual({ ok: false, error });
  expect(checkLink("10.0.0.2", ["br0"], undefined)).toEqual({ ok: false, error });
});

test("checkNeighbour takes who answers with the unikernel's MAC address, on its bridge", () => {
  expect(checkNeighbour("10.0.0.2", ports, "br0", neighbours)).toEqual({ ok: true, value: port });
  expect(checkNeighbour("10.0.0.3", ports, "br0", neighbours)).toMatchObject({ error: { kind: "probe-foreign" } });
  expect(checkNeighbour("10.0.1.2", ports, "br1", neighbours)).toMatchObject({ error: { kind: "probe-foreign" } });
  expect(checkNeighbour("10.0.0.4", ports, "br0", neighbours)).toMatchObject({ error: { kind: "probe-unanswered" } });
});

test("checkHealth takes a probe for what has a network device alone", () => {
  const health = { within: 1, probe: "tcp:80" };
  expect([checkHealth(health, 1), checkHealth(health, 0)]).toEqual([
    { ok: true, value: undefined },
    { ok: false, error: { kind: "probe-without-bridge" } },
  ]);
});

test("readHealth reads what people write", () => {
  expect(readHealth({})).toEqual({ ok: true, value: {} });
  expect(readHealth({ healthyAfter: 5 })).toEqual({ ok: true, value: { health: { within: 5 } } });
  const health = { within: 30_000, pattern: "up" };
  expect(readHealth({ health: "console:up" })).toEqual({ ok: true, value: { health } });
  const probed = { within: 7, probe: "tcp:80" };
  expect(readHealth({ health: "tcp:80", healthyAfter: 7 })).toEqual({ ok: true, value: { health: probed } });
  expect(readHealth({ health: "gopher:80" })).toMatchObject({ error: { kind: "probe-bad" } });
});
