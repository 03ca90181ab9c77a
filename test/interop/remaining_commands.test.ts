/** Commands that no other file here has: updates, policies and statistics by hand; both clients, both daemons. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { needPrograms } from "./needs.ts";
import { type Place, succeeded } from "./place.ts";
import { startTheirStatistics } from "./systems.ts";
import { open, ways } from "./ways.ts";

test.for(ways)(
  "$client updates a unikernel of $daemon from a repository (through its endpoint: $endpoint)",
  { timeout: 60_000 },
  async (way, context) => {
    const { place, to, path } = await open(context, way);
    const run = (line: string) => place.run(`${way.client} ${line} ${to}`);
    const repository = await publish(place);
    expect(await run(`create ${path}web hello.img --arg kept`)).toEqual(succeeded("success: created unikernel"));
    const updated = await run(`update ${path}web --http-host ${repository.url}`);
    expect(updated).toEqual(succeeded("success: created unikernel"));
    expect(await run(`info -n ${path}web -v -v`)).toEqual(succeeded(new RegExp(`${repository.digest}.*kept`)));
    expect(repository.asked.at(-1)).toBe(`/job/web/build/${latest}/main-binary`);
  },
);

test.for(ways.filter(({ endpoint }) => !endpoint))(
  "$client replaces and removes a policy of $daemon, and adds and removes what is measured",
  { timeout: 60_000 },
  async (way, context) => {
    if (way.daemon === "albatrossd") needPrograms(context, "albatross-stats");
    const { place, to } = await open(context, way);
    if (way.daemon === "albatrossd") await startTheirStatistics(place);
    const run = (line: string) => place.run(`${way.client} ${line} ${to}`);
    expect(await run("replace-policy alice 3 --mem 256 --cpu 0")).toEqual(succeeded("added policy"));
    expect(await run("policy -p alice")).toEqual(succeeded("policy: 3 unikernels 0 CPUids 256 MB memory"));
    expect(await run("remove-policy -p alice")).toEqual(succeeded("removed policy"));
    expect(await run(`stats-add ${process.pid} -n here`)).toEqual(succeeded("added"));
    expect(await place.watch(`${way.client} stats -n here ${to}`, /utime \d+/)).toContain("subscribed");
    expect(await run("stats-remove -n here")).toEqual(succeeded("removed"));
  },
);

test.for(ways.filter(({ endpoint }) => endpoint))(
  "$client changes no policy of $daemon and nothing that is measured, through its endpoint",
  { timeout: 60_000 },
  async (way, context) => {
    const { place, to } = await open(context, way);
    const run = (line: string) => place.run(`${way.client} ${line} ${to}`);
    for (const line of [
      "add-policy bob 1 --mem 64 --cpu 0",
      "replace-policy bob 1 --mem 64 --cpu 0",
      "remove-policy -p bob",
      `stats-add ${process.pid} -n here`,
      "stats-remove -n here",
    ]) {
      // Ours does not even ask.
      const status = way.client === "fulmar" ? 124 : 117;
      expect([line, (await run(line)).status]).toEqual([line, status]);
    }
  },
);

interface Repository {
  readonly url: string;
  /** Of the latest build's image. */
  readonly digest: string;
  /** The paths that were asked for. */
  readonly asked: readonly string[];
}

/** A repository of builds, in which `hello.img` is the one before the latest. */
async function publish(place: Place): Promise<Repository> {
  const image = readFileSync(join(place.folder, "hello.img"));
  const newer = Buffer.concat([image, randomBytes(16)]);
  const asked: string[] = [];
  const moved: Readonly<Record<string, string>> = {
    [`/hash?sha256=${digestOf(image)}`]: `/job/web/build/${first}`,
    "/job/web/build/latest": `/job/web/build/${latest}`,
  };
  const server = createServer((request, response) => {
    const { url = "" } = request;
    asked.push(url);
    const location = moved[url];
    if (location !== undefined) response.writeHead(302, { location }).end();
    else if (url === `/job/web/build/${latest}/main-binary`) response.end(newer);
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, digest: digestOf(newer), asked };
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const first = "00000000-0000-4000-8000-000000000001";
const latest = "00000000-0000-4000-8000-000000000002";
