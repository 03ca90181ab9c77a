/**
 * Where a server is, as people write it.
 *
 * @module
 */

export interface Destination {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host`, `host:port`, `[v6]:port`, `v6`; undefined for anything else.
 *
 * @param standard - the port where none is said; absent: albatross's
 */
export function parseDestination(text: string, standard: number = 1025): Destination | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const bare = text.includes("::") && !text.includes("[") ? text : undefined;
  const host = bracketed ?? plain ?? bare;
  const port = digits === undefined ? standard : Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
