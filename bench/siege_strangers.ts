/**
 * Rude clients of which most have nothing to show: they cost a connection or a
 * handshake each.
 *
 * @module
 */
import { ended, hold, type Kinds, open, secured, shake } from "./siege_sockets.ts";

/** Without a handshake. */
export const rawKinds: Kinds = {
  "silent from the start": async (target, from, held) => hold(await open(target, from), held),
  "half a ClientHello, then a byte now and then": async (target, from, held) => {
    const socket = await open(target, from);
    socket.write(Buffer.from("1603010200010001fc0303", "hex"));
    const drip = setInterval(() => socket.write("\0"), 500);
    socket.once("close", () => clearInterval(drip));
    hold(socket, held);
  },
  "reset at once": async (target, from) => void (await open(target, from)).resetAndDestroy(),
  "half-closed": async (target, from, held) => {
    const socket = await open(target, from);
    socket.end();
    hold(socket, held);
  },
  garbage: async (target, from) => {
    const socket = await open(target, from);
    await ended(socket.resume(), () => socket.write(Buffer.alloc(16_384, "GET / HTTP/1.0\r\n")));
  },
};

/** With one. */
export const tlsKinds: Kinds = {
  "no certificate": async (target, from) => {
    const socket = shake(target, from, { rejectUnauthorized: false, ca: [] });
    await ended(socket.resume());
  },
  "resuming what was never there": async (target, from) => {
    const socket = shake(target, from, { ...target.asking({ kind: "policy-info" }), session: Buffer.alloc(200, 1) });
    await ended(socket.resume());
  },
  "never reading": async (target, from, held) => {
    const socket = shake(target, from, target.asking({ kind: "unikernel-info", form: "current" }));
    await secured(socket.pause());
    hold(socket, held);
  },
  "an upload that never comes": async (target, from, held) => {
    const socket = shake(target, from, target.asking({ kind: "block-set", compressed: false }));
    await secured(socket);
    hold(socket, held);
  },
  "a session in which nothing is asked": async (target, from, held) => {
    const socket = shake(target, from, target.asking({ kind: "session" }));
    await secured(socket);
    hold(socket, held);
  },
};
