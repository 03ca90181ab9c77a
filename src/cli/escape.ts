/**
 * Text from afar, made safe for a terminal.
 *
 * What a guest or a server writes could move the cursor, change the title or
 * reverse the reading direction. Every character that is not plainly printed
 * becomes an escape, and the backslash is doubled, so that each output has
 * exactly one meaning.
 *
 * @module
 */

/** The text on one line, without a character that a terminal acts on. */
export function escapeText(text: string): string {
  return text.replace(acting, escapeCharacter);
}

/** A sentence that may have been wrapped for a terminal by its sender: as one line, then escaped. */
export function escapeSentence(text: string): string {
  return escapeText(text.replace(/\s*\n\s*/g, " ").trim());
}

function escapeCharacter(character: string): string {
  const named = names[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${hex(code)}`;
  // A byte that was no UTF-8, see codec/text.
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${hex(code - 0xdc00)}`;
  return `\\u{${hex(code)}}`;
}

function hex(code: number): string {
  return code.toString(16).padStart(2, "0");
}

const names: Readonly<Record<string, string | undefined>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** Controls, format characters (bidirectional overrides, zero width), lone surrogates, line separators. */
const acting = /[\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
