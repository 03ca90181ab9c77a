/**
 * What the supervisor wants sent of images.
 *
 * @module
 */
import type { Refusal } from "../core/refusal.ts";
import type { ClientId, Effect, Reply } from "../core/state.ts";
import type { OpenImage } from "./image_out.ts";
import type { Preparer } from "./preparer.ts";

export interface ImageClients {
  readonly preparer: Preparer;
  /** Sends a client an image, which is opened for as long as it is there. @returns why it does not have it */
  readonly sendImage: (client: ClientId, open: OpenImage) => Promise<Refusal | undefined>;
}

/** The image is what is answered; the reply behind it only ends it. */
export async function answerImage(
  { preparer, sendImage }: ImageClients,
  { client, digest, level }: Extract<Effect, { kind: "send-image" }>,
): Promise<Reply> {
  const refusal = await sendImage(client, (signal) => preparer.open(digest, level, signal));
  return refusal === undefined ? { ok: true, success: { kind: "empty" } } : { ok: false, refusal };
}
