/** A stand-in for a guest on a bridge: a network namespace behind a veth that is called as its tap, with an HTTP server on port 8080. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";

export interface StandIn {
  /** What came to it: `connected`, and the targets of its requests. */
  readonly heard: readonly string[];
}

/** `/ok` is answered with 200, `/away` with a redirection, `/endless` with no line's end, anything else with 503. */
const server = `
const { createServer } = require("node:http");
const { createServer: listen } = require("node:net");
const web = createServer((request, response) => {
  console.log(request.url);
  if (request.url === "/ok") return response.end("fine");
  if (request.url === "/away") return response.writeHead(302, { location: "http://10.0.0.3:8080/ok" }).end();
  if (request.url === "/endless") return request.socket.write("x".repeat(100000));
  response.writeHead(503).end();
});
web.on("connection", () => console.log("connected"));
web.listen(8080, "0.0.0.0", () => console.log("up"));
`;

/** @param at - its address, of 24 bits of network */
export async function standIn(tap: string, bridge: string, mac: string, at: string): Promise<StandIn> {
  const child: ChildProcess = spawn("unshare", ["--net", process.execPath, "-e", server], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });
  const heard: string[] = [];
  const out = child.stdout?.setEncoding("utf8");
  if (out === undefined) throw new Error("no stand-in");
  await once(out, "data");
  out.on("data", (text: string) => heard.push(...text.split("\n").filter((line) => line !== "")));
  const inside = ["nsenter", "-t", `${child.pid}`, "-n", "ip"];
  for (const words of [
    ["ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", `${child.pid}`],
    ["ip", "link", "set", tap, "master", bridge, "up"],
    [...inside, "address", "add", `${at}/24`, "dev", "eth0"],
    [...inside, "link", "set", "eth0", "address", mac, "up"],
  ]) {
    const [program = "", ...rest] = words;
    execFileSync(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
  }
  return { heard };
}
