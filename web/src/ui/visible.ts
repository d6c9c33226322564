// Text of strangers: what would not be seen, or would turn other text around, is made visible.

export interface Piece {
  text: string;
  /** The code points that `text` stands for. */
  hidden: string | null;
}

// Controls but tab and line feed, bidirectional controls, and what has no width.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff0-\ufffb]+/g;

const PIECES_MAX = 4_000;

export function visible(text: string): Piece[] {
  const plain = text.replace(/\r\n/g, '\n');
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of plain.matchAll(HIDDEN)) {
    if (pieces.length >= PIECES_MAX) break;
    if (match.index > end) pieces.push({ text: plain.slice(end, match.index), hidden: null });
    pieces.push({ text: [...match[0]].map(shown).join(''), hidden: [...match[0]].slice(0, 8).map(codePoint).join(' ') });
    end = match.index + match[0].length;
  }
  if (end < plain.length) pieces.push({ text: plain.slice(end).replace(HIDDEN, '\u{2370}'), hidden: null });
  return pieces;
}

/** In one string, for places that take no elements. */
export function visibleText(text: string): string {
  return text.replace(HIDDEN, (run) => [...run].map(shown).join(''));
}

function shown(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0x9f) return `\\x${code.toString(16).padStart(2, '0')}`;
  return `\u2039${codePoint(character)}\u203a`;
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
