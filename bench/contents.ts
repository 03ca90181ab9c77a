/**
 * Images and block devices over TLS, by our own client.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../src/client/main.ts";
import { encodeKey } from "../src/x509/keys.ts";
import { encodeCertificates } from "../src/x509/pem.ts";
import type { Figure } from "./figure.ts";
import type { Host } from "./hosts.ts";
import type { Pki } from "./pki.ts";
import { residentMegabytes } from "./processes.ts";
import { contentOf, measure, megabyte, rounds } from "./rounds.ts";

type Client = Awaited<ReturnType<typeof connect>>;

function enter(host: Host, pki: Pki): Promise<Client> {
  return connect({
    destination: `127.0.0.1:${host.port}`,
    ca: encodeCertificates([pki.alice.certificate.raw]),
    caKey: encodeKey(pki.alice.key),
    serverCa: encodeCertificates([pki.root.certificate.raw]),
  });
}

/** Creates with images of so many MB, streamed; then what is resident. */
export async function measureImages(host: Host, pki: Pki, sizes: readonly number[]): Promise<readonly Figure[]> {
  const client = await enter(host, pki);
  const figures: Figure[] = [];
  for (const size of sizes) {
    const image = Buffer.concat([readFileSync(guest), randomBytes(size * megabyte)]);
    const take = (at: number): Promise<void> => client.create(`image${size}-${at}`, { image, memory: 64 });
    figures.push(await measure(host, "images", `create, ${size} MB`, take));
    for (let at = 0; at < rounds; at++) await client.destroy(`image${size}-${at}`);
  }
  await client.close();
  return figures;
}

/** A device of so many MB, filled and read, as it is and compressed on the way. */
export async function measureBlocks(host: Host, pki: Pki, size: number): Promise<readonly Figure[]> {
  const client = await enter(host, pki);
  const content = contentOf(size);
  await client.blocks.create("disk", size);
  const figures: Figure[] = [];
  for (const compression of [0, 1]) {
    const level = compression === 0 ? "" : `, level ${compression}`;
    const set = (): Promise<void> => client.blocks.set("disk", content, { compression });
    figures.push(await measure(host, "blocks", `set, ${size} MB${level}`, set));
    const dump = async (): Promise<void> => {
      let length = 0;
      for await (const piece of client.blocks.dump("disk", { compression })) length += piece.length;
      if (length < content.length) throw new Error(`${length} bytes of the dump`);
    };
    figures.push(await measure(host, "blocks", `dump, ${size} MB${level}`, dump));
  }
  await client.blocks.remove("disk");
  await client.close();
  return figures;
}

/** With so many unikernels of so many MB of image. */
export async function measureMemory(host: Host, pki: Pki, count: number, size: number): Promise<Figure> {
  const client = await enter(host, pki);
  for (let at = 0; at < count; at++) {
    const image = Buffer.concat([readFileSync(guest), randomBytes(size * megabyte)]);
    await client.create(`held${at}`, { image, memory: 32 });
  }
  const figure = residents(host, `${count} guests with ${count * size} MB of images`);
  for (let at = 0; at < count; at++) await client.destroy(`held${at}`);
  await client.close();
  return figure;
}

export function residents(host: Host, what: string): Figure {
  return { part: "memory", what, who: host.who, megabytes: residentMegabytes(host.pids) };
}

const guest: string = join(import.meta.dirname, "../../guest/hello.spt");
