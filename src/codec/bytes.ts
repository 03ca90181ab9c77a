/**
 * Byte strings compared, and read as numbers.
 *
 * @module
 */

/** Byte by byte, a prefix first: the order of SET OF members (X.690 section 11.6). */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The number that the content of an INTEGER stands for, where a double holds it exactly. */
export function decodeInteger(content: Uint8Array): number | undefined {
  if (content.length > 7) return undefined;
  const [first = 0] = content;
  let value = first >= 0x80 ? first - 0x100 : first;
  for (let index = 1; index < content.length; index++) value = value * 0x100 + (content[index] ?? 0);
  return Number.isSafeInteger(value) ? value : undefined;
}
