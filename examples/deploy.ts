/**
 * Puts a unikernel in place, waits until it speaks, and shows what it says.
 *
 *     node deploy.js HOST:PORT NAME IMAGE [ARGUMENT…]
 *
 * Wanted in this folder: ca.pem and ca.key, an authority's with a policy, and
 * cacert.pem, which the server's certificate comes from.
 *
 * @module
 */
import { connect, FulmarError } from "fulmar";

const [destination = "", name = "", image = "", ...words] = process.argv.slice(2);

async function deploy(): Promise<void> {
  const client = await connect({ destination, ca: "ca.pem", caKey: "ca.key", serverCa: "cacert.pem" });
  try {
    const since = new Date();
    const [before] = await client.info(name);
    await client.create(name, { image, arguments: words, memory: 32, restart: true, replace: true });
    const [now] = await client.info(name);
    say(`${now?.name}: ${before === undefined ? "new" : "replaced"}, image ${now?.digest.slice(0, 12)}`);
    for await (const { line } of client.console(name, { since })) {
      say(line);
      if (line.startsWith("arguments:")) break;
    }
  } finally {
    await client.close();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  await deploy();
} catch (error) {
  if (!(error instanceof FulmarError)) throw error;
  process.stderr.write(`${error.kind}: ${error.message}\n`);
  process.exitCode = 1;
}
