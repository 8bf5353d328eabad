/** Control characters, and those that reorder, hide or break lines of text on a terminal. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/**
 * Foreign text made fit for one line of a log or a terminal: control and invisible characters as `\u{…}`,
 * cut with `…` at `maxLength` code units.
 */
export function printable(text: string, maxLength = 80): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
