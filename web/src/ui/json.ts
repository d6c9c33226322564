// JSON as text: what the server sent is shown as it was sent, so nothing here parses and writes again.

export interface Token {
  kind: 'key' | 'string' | 'number' | 'word' | 'punctuation' | 'space';
  text: string;
}

const TOKEN = /"(?:[^"\\]|\\[^])*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]|\s+|[^]/g;

/** Of any text; what is no JSON comes as punctuation. */
export function tokens(text: string): Token[] {
  const found: Token[] = (text.match(TOKEN) ?? []).map((part) => ({ kind: kindOf(part), text: part }));
  found.forEach((token, index) => {
    if (token.kind !== 'string') return;
    const next = found[index + 1]?.kind === 'space' ? found[index + 2] : found[index + 1];
    if (next?.text === ':') token.kind = 'key';
  });
  return found;
}

function kindOf(part: string): Token['kind'] {
  if (part.length > 1 && part.startsWith('"')) return 'string';
  if (/^-?\d/.test(part)) return 'number';
  if (part === 'true' || part === 'false' || part === 'null') return 'word';
  return /^\s+$/.test(part) ? 'space' : 'punctuation';
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Indented, with every number and string as it was written; null for what is no JSON. */
export function pretty(text: string): string | null {
  if (!isJson(text)) return null;
  const parts = tokens(text).filter((token) => token.kind !== 'space');
  let depth = 0;
  let out = '';
  parts.forEach(({ text: part }, index) => {
    const before = parts[index - 1]?.text;
    const isOpen = before === '{' || before === '[';
    if (part === '}' || part === ']') {
      depth -= 1;
      out += isOpen ? part : newLine(depth) + part;
      return;
    }
    if (isOpen || before === ',') out += newLine(depth);
    out += part === ':' ? ': ' : part;
    if (part === '{' || part === '[') depth += 1;
  });
  return out;
}

const newLine = (depth: number) => `\n${'  '.repeat(depth)}`;

/** The bytes of the member `payload` of an answer's text: parsing would round its numbers and reorder its keys. */
export function payloadText(answer: string): string | null {
  let depth = 0;
  let start = -1;
  let at = 0;
  const all = tokens(answer);
  for (let index = 0; index < all.length; index += 1) {
    const token = all[index]!;
    if (start < 0 && depth === 1 && token.kind === 'key' && token.text === '"payload"') {
      const gap = all.slice(index + 1).findIndex((next) => next.kind !== 'space' && next.text !== ':');
      start = at + all.slice(index, index + 1 + gap).reduce((sum, part) => sum + part.text.length, 0);
    }
    if (token.kind === 'punctuation' && (token.text === '{' || token.text === '[')) depth += 1;
    if (token.kind === 'punctuation' && (token.text === '}' || token.text === ']')) depth -= 1;
    at += token.text.length;
    if (start >= 0 && depth === 1 && token.text === '}') return answer.slice(start, at);
  }
  return null;
}
