// A delivery's request as a command for a terminal.

const MASK = '********';
/** What curl sets itself. */
const OWN = new Set(['content-length', 'host', 'connection']);

export function curlOf(request: { url: string; headers: Record<string, string>; body: string | null }): string {
  const headers = Object.entries(request.headers)
    .filter(([name]) => !OWN.has(name.toLowerCase()))
    .map(([name, value]) => `  -H ${quoted(`${name}: ${value === MASK ? '<the secret value>' : value}`)}`);
  const body = request.body === null ? '  --data-binary @body.json' : `  --data-binary ${quoted(request.body)}`;
  return [`curl -i ${quoted(request.url)}`, ...headers, body].join(' \\\n');
}

/** For POSIX shells: within single quotes nothing is special but the quote. */
export const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
