/**
 * fulmard and fulmar-endpoint as processes, and clients in this one: many of
 * them at once, with certificates of any shape.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "vitest";
import type { Wire } from "../../src/codec/wire.ts";
import type { Command } from "../../src/core/command.ts";
import type { UnikernelConfig } from "../../src/core/unikernel.ts";
import { encodeKey } from "../../src/x509/keys.ts";
import { encodeCertificates } from "../../src/x509/pem.ts";
import { ask, chunks, type Holder } from "../service/endpoint_lab.ts";
import { needTender } from "./needs.ts";
import { Place } from "./place.ts";
import { startFulmard, startOurEndpoint } from "./systems.ts";

export interface Lab {
  readonly place: Place;
  readonly port: number;
  /** Our guest. */
  readonly image: Uint8Array;
}

export const config: UnikernelConfig = {
  typ: "solo5",
  addName: true,
  failBehaviour: { kind: "quit" },
  cpuids: [0],
  memory: 32,
  blocks: [],
  bridges: [],
  cpus: 1,
};

/** Starts both below a root; skips the test where no tender runs our guest. */
export async function openLab(context: TestContext, root: Holder, server: Holder): Promise<Lab> {
  const tender = needTender(context);
  const place = Place.open();
  const write = (name: string, text: string): void => writeFileSync(join(place.folder, name), text, { mode: 0o600 });
  write("cacert.pem", encodeCertificates([root.certificate.raw]));
  write("server.pem", encodeCertificates([server.certificate.raw]));
  write("server.key", encodeKey(server.key));
  await startFulmard(place, tender);
  const address = await startOurEndpoint(place);
  return { place, port: Number(address.split(":")[1]), image: readFileSync(join(place.folder, "hello.img")) };
}

/** A create with the image in the certificate, or with none: then it is to be streamed. */
export function create(image: Uint8Array | undefined, replace = false): Command {
  const bytes = image ?? new Uint8Array(0);
  return { kind: "unikernel-create", config, image: { compressed: false, bytes }, replace };
}

/** What the endpoint says to a chain, leaf first: a success's text or what it is, a refusal's sentence. */
export async function hear(lab: Lab, chain: readonly Holder[], streamed?: Uint8Array): Promise<string> {
  const upload = streamed === undefined ? undefined : chunks(streamed.subarray(0, 5000), streamed.subarray(5000));
  return spoken(await ask(lab.port, chain, upload));
}

export function spoken({ payload }: Wire): string {
  if (payload.kind === "failure") return payload.text;
  if (payload.kind !== "success") return payload.kind;
  return payload.success.kind === "string" ? payload.success.text : payload.success.kind;
}
