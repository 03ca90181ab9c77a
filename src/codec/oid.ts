/**
 * OBJECT IDENTIFIERs: their content octets (X.690 section 8.19) and their dotted form.
 *
 * @module
 */

/** The dotted form, or undefined where the content is none: empty, cut short, or an arc with leading zeros. */
export function decodeOid(content: Uint8Array): string | undefined {
  if (content.length === 0 || (content[content.length - 1] ?? 0) >= 0x80) return undefined;
  const arcs: bigint[] = [];
  let arc = 0n;
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80) return undefined;
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    fresh = byte < 0x80;
    if (fresh) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [first = 0n, ...rest] = arcs;
  const top = first < 80n ? first / 40n : 2n;
  return [top, first - top * 40n, ...rest].join(".");
}

/** The content octets of a dotted form. */
export function encodeOid(dotted: string): Uint8Array {
  const [first = 0n, second = 0n, ...rest] = dotted.split(".").map(BigInt);
  const bytes = [first * 40n + second, ...rest].flatMap((arc) => {
    const groups = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80);
    return groups;
  });
  return Uint8Array.from(bytes);
}
