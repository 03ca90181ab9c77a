/**
 * What untrusted input may cost: each bound with its usual value and its reason,
 * for the endpoint and for the daemon, in one place.
 *
 * The flag `--limit`, help, manual pages and docs/limits.md are made of these
 * tables or compared with them.
 *
 * @module
 */

export interface Limit {
  /** What holds where nothing else is said. */
  readonly usual: number;
  readonly unit: "" | "s" | "bytes";
  readonly least: number;
  readonly most: number;
  /** What it bounds. */
  readonly about: string;
  readonly reason: string;
}

export type EndpointLimit =
  | "handshake"
  | "idle"
  | "stalled"
  | "reply"
  | "linger"
  | "connections"
  | "connections-per-address"
  | "handshakes"
  | "handshakes-per-address"
  | "certificates"
  | "certificate-bytes"
  | "large-certificate-bytes"
  | "large-handshakes"
  | "large-requests"
  | "frame"
  | "unanswered"
  | "unanswered-per-delegate"
  | "unasked";

export type DaemonLimit =
  | "connections"
  | "requests"
  | "waiting"
  | "rate"
  | "downloads-waiting"
  | "delegations"
  | "memories"
  | "console-lines"
  | "console-line"
  | "consoles"
  | "watchers"
  | "statistics-subscribers"
  | "unread"
  | "frame"
  | "old-reply"
  | "upload"
  | "inflated"
  | "ratio";

/** The values that hold, in the tables' units. */
export type EndpointLimits = Readonly<Record<EndpointLimit, number>>;
export type DaemonLimits = Readonly<Record<DaemonLimit, number>>;

/** SSL_MAX_CERT_LIST_DEFAULT of openssl/ssl.h, bytes: what holds where nothing moves it. */
export const opensslCertificates: number = 102_400;

/** Of each endpoint, or of each of its workers. */
export const endpointLimits: Readonly<Record<EndpointLimit, Limit>> = {
  handshake: {
    ...{ usual: 10, unit: "s", least: 1, most: 600 },
    about: "from the connection to the end of the handshake, however its bytes drip",
    reason: "it takes milliseconds, and on the slowest lines a second or two",
  },
  idle: {
    ...{ usual: 600, unit: "s", least: 1, most: 86_400 },
    about: "a session in which nothing is asked",
    reason: "a tool that asks now and then comes back within ten minutes, or opens another one",
  },
  stalled: {
    ...{ usual: 60, unit: "s", least: 1, most: 3600 },
    about: "an upload or a reply in which no byte moves",
    reason: "what stands still for a minute will not go on",
  },
  reply: {
    ...{ usual: 300, unit: "s", least: 1, most: 86_400 },
    about: "from a whole request to the first byte of its reply",
    reason: "the daemon thinks longest about unpacking a large image and ending an old guest",
  },
  linger: {
    ...{ usual: 10, unit: "s", least: 1, most: 600 },
    about: "a connection after our last word",
    reason: "time to read it, for a client that is still sending",
  },
  connections: {
    ...{ usual: 2000, unit: "", least: 8, most: 100_000 },
    about:
      "connections; where they are taken, the one goes that has been idle longest of the delegate or address with most",
    reason: "each holds two descriptors and 50 KB, so that 4,096 descriptors are enough",
  },
  "connections-per-address": {
    ...{ usual: 500, unit: "", least: 1, most: 100_000 },
    about: "connections of one address (an IPv6 /64) that belong to no delegate, or not yet",
    reason: "a quarter of all, for strangers behind one address",
  },
  handshakes: {
    ...{ usual: 1000, unit: "", least: 4, most: 100_000 },
    about: "handshakes that are not done; where they are taken, one goes of the address with most",
    reason: "each holds up to `certificate-bytes`: 100 MB in all",
  },
  "handshakes-per-address": {
    ...{ usual: 64, unit: "", least: 1, most: 100_000 },
    about: "those of one address; there, too, one of a second or more makes room",
    reason: "no host needs more at once",
  },
  certificates: {
    ...{ usual: 16, unit: "", least: 10, most: 64 },
    about: "certificates of a client that are looked at; with more it is refused",
    reason: "a path has 9 at most, as albatross's; then there are the anchor, which some send, and repetitions",
  },
  "certificate-bytes": {
    ...{ usual: opensslCertificates, unit: "bytes", least: 16_384, most: 1_048_576 },
    about: "certificates of a client together, as a rule",
    reason: "OpenSSL's own bound, which only koffi moves; nine certificates with RSA keys of 4096 bits are 16 KiB",
  },
  "large-certificate-bytes": {
    ...{ usual: 16_777_215, unit: "bytes", least: 32_768, most: 16_777_215 },
    about: "certificates where they may be large; at least twice `certificate-bytes`",
    reason:
      "albatross-client puts images into them; the length of a message of TLS has three bytes, so that none is longer",
  },
  "large-handshakes": {
    ...{ usual: 4, unit: "", least: 0, most: 1000 },
    about: "handshakes that may bring large certificates, of one address one; 0: none may",
    reason: "OpenSSL takes that memory as soon as somebody announces it",
  },
  "large-requests": {
    ...{ usual: 8, unit: "", least: 0, most: 1000 },
    about: "requests under way whose certificates are over `certificate-bytes`",
    reason: "such certificates are there three times until the request is done: 400 MB",
  },
  frame: {
    ...{ usual: 1_048_576, unit: "bytes", least: 65_536, most: 16_777_216 },
    about: "one command of a session; the daemon has a bound of its own",
    reason:
      "arguments and lists of all kinds are some kilobytes, a revocation list up to half a megabyte; images are streams",
  },
  unanswered: {
    ...{ usual: 32, unit: "", least: 1, most: 1000 },
    about: "commands of one session that are not answered; the next is read when one is",
    reason: "enough to keep the daemon busy, few for what else the endpoint has to do",
  },
  "unanswered-per-delegate": {
    ...{ usual: 256, unit: "", least: 1, most: 1_000_000 },
    about: "those of all sessions of one delegate whose clients read; they take turns",
    reason: "what is passed on in some milliseconds, after which others are looked after",
  },
  unasked: {
    ...{ usual: 65_536, unit: "bytes", least: 1024, most: 1_073_741_824 },
    about: "what a client sends where nothing is expected",
    reason: "some clients end what they send late; none sends much",
  },
};

/** Of the daemon. A delegate is one that the trust anchor signed, with all that he delegated further. */
export const daemonLimits: Readonly<Record<DaemonLimit, Limit>> = {
  connections: {
    ...{ usual: 16_384, unit: "", least: 8, most: 100_000 },
    about:
      "connections to each of the sockets; where those of chains are taken, one goes in which nothing is asked, of the delegate with most",
    reason: "as many as eight workers of the endpoint let in, or one delegate could take all, and a host's own tools",
  },
  requests: {
    ...{ usual: 64, unit: "", least: 1, most: 10_000 },
    about: "requests of one delegate that are carried out at once; further ones wait, and delegates take turns",
    reason: "what a tool does at once; each upload among them holds a megabyte or two",
  },
  waiting: {
    ...{ usual: 1000, unit: "", least: 0, most: 100_000 },
    about: "requests of one delegate that wait for their turn; further ones are refused",
    reason: "each costs its connection, and half of what the endpoint lets in leaves the other half to others",
  },
  rate: {
    ...{ usual: 50_000, unit: "", least: 1, most: 1_000_000 },
    about: "requests of one delegate in a second; further ones wait, as those above",
    reason: "turns keep delegates apart below it; it is what one processor reads, at most",
  },
  "downloads-waiting": {
    ...{ usual: 8, unit: "", least: 0, most: 1000 },
    about: "downloads of images (of which a delegate has one at a time) that wait; likewise fillings of block devices",
    reason: "each costs its connection; a filling takes up to the device's size on the disk once more",
  },
  delegations: {
    ...{ usual: 1000, unit: "", least: 8, most: 10_000 },
    about: "policies below one delegate; the least recently used one with nothing below it makes room",
    reason:
      "whoever holds a sub-CA mints paths without end, each a kilobyte of memory and of the store; which one makes room is looked for among all, a millisecond or two among 10,000",
  },
  memories: {
    ...{ usual: 10_000, unit: "", least: 16, most: 1_000_000 },
    about:
      "policies of one delegate that went and of which it is remembered how new they were; of the oldest only together",
    reason: "ten times the delegations, each some 200 bytes of memory and 100 of the store",
  },
  "console-lines": {
    ...{ usual: 1024, unit: "", least: 1, most: 100_000 },
    about: "lines kept of each console",
    reason: "as albatross",
  },
  "console-line": {
    ...{ usual: 512, unit: "bytes", least: 80, most: 65_536 },
    about: "a line of a console; what is over is replaced by a note",
    reason: "as albatross; a pipe holds 65,536, and no line that was read whole is longer",
  },
  consoles: {
    ...{ usual: 100, unit: "", least: 0, most: 100_000 },
    about: "consoles kept of unikernels that are gone; the delegate with most loses his oldest",
    reason: "each may hold half a megabyte",
  },
  watchers: {
    ...{ usual: 100, unit: "", least: 1, most: 10_000 },
    about: "who watches the log of one delegate's part, or of the host",
    reason: "every start and end is written to each of them",
  },
  "statistics-subscribers": {
    ...{ usual: 16, unit: "", least: 1, most: 10_000 },
    about: "who subscribes to the statistics of one name; a further one takes the place of the first",
    reason: "each measurement is written to each of them",
  },
  unread: {
    ...{ usual: 2_097_152, unit: "bytes", least: 1_048_576, most: 1_073_741_824 },
    about: "what waits for a subscriber who does not read; with more he is dropped",
    reason: "what is read of a console in a quarter of a second is up to that much on its way, as lines of one letter",
  },
  frame: {
    ...{ usual: 1_048_576, unit: "bytes", least: 65_536, most: 16_777_216 },
    about: "a message that brings no image; those of the endpoint may be 262144 longer, by what the certificates say",
    reason: "as the endpoint's `frame`, and a message over it is refused here, too",
  },
  "old-reply": {
    ...{ usual: 134_217_728, unit: "bytes", least: 1_048_576, most: 1_073_741_824 },
    about: "a block device's content in albatross's old reply of one piece",
    reason: "it is in memory as a whole; the length of a message has 31 bits",
  },
  upload: {
    ...{ usual: 536_870_912, unit: "bytes", least: 1_048_576, most: 68_719_476_736 },
    about: "an image as it arrives",
    reason: "the largest unikernels are some tens of megabytes",
  },
  inflated: {
    ...{ usual: 1_073_741_824, unit: "bytes", least: 1_048_576, most: 68_719_476_736 },
    about: "an image on the disk, if the memory that its unikernel asks for is not less anyway",
    reason: "clients take images of up to a gigabyte",
  },
  ratio: {
    ...{ usual: 1032, unit: "", least: 2, most: 1032 },
    about: "bytes that one byte of an image or of a device's content inflates to, 64 KiB aside",
    reason: "zlib's most, which zeros come to; nothing is held, what is inflated goes to the disk",
  },
};

export const usualEndpointLimits: EndpointLimits = withLimits(endpointLimits, {});
export const usualDaemonLimits: DaemonLimits = withLimits(daemonLimits, {});

/** Why these values do not go together, if they do not: one sentence. */
export function endpointConflict(limits: EndpointLimits): string | undefined {
  const [small, large] = [limits["certificate-bytes"], limits["large-certificate-bytes"]];
  return large >= 2 * small
    ? undefined
    : `large-certificate-bytes is ${large}, and must be at least twice certificate-bytes, which is ${small}`;
}

/** The usual values with others in their place. */
export function withLimits<K extends string>(
  table: Readonly<Record<K, Limit>>,
  others: Partial<Readonly<Record<K, number>>>,
): Readonly<Record<K, number>> {
  const values = { ...others };
  for (const name in table) values[name] ??= table[name].usual;
  if (!isWhole(table, values)) throw new Error("a limit without a value");
  return values;
}

function isWhole<K extends string>(
  table: Readonly<Record<K, Limit>>,
  values: Partial<Readonly<Record<K, number>>>,
): values is Readonly<Record<K, number>> {
  return Object.keys(table).every((name) => name in values);
}
