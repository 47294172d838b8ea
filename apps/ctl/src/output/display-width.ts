/**
 * Columns that a text takes on a terminal: none for marks that combine with the character before, two for East Asian
 * wide characters and emoji, one for the rest (Unicode Standard Annex 11, its wide and fullwidth blocks). Terminals
 * differ about the rarer ones; a column is then off by one, no more.
 */
export function displayWidth(text: string): number {
  // Almost every cell is plain ASCII.
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += combining.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}

const combining = /^(?:\p{Mn}|\p{Me}|[\u200b-\u200d])$/u;
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\p{Emoji_Presentation}\u{20000}-\u{3fffd}]$/u;
