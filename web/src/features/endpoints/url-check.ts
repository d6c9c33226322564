// What can be said of a receiver's URL while it is typed, in the API's own sentences. The API judges when it is saved; this
// only spares the wait for what is certain.

const LENGTH_MAX = 2_048;

export function urlFault(url: string, isDev: boolean): string | null {
  const trimmed = url.trim();
  if (trimmed === '') return null;
  if (trimmed.length > LENGTH_MAX) return 'the URL is longer than 2048 characters (once normalised): shorten its path or query';
  if (/[\p{Cc}\p{Zs}\p{Zl}\p{Zp}]/u.test(trimmed)) return 'the URL contains a space or an invisible character: remove it or percent-encode it';
  if (trimmed.includes('\\')) return 'the URL contains a backslash: write a slash, or %5C if a backslash is meant';
  if (trimmed.includes('#')) return 'the URL contains a fragment: remove `#` and what follows, which is never sent to a receiver';
  const scheme = schemeFault(trimmed, isDev);
  if (scheme) return scheme;
  const parsed = URL.canParse(trimmed) ? new URL(trimmed) : null;
  if (!parsed) return 'this is not a complete URL: write it as https://host/path';
  if (parsed.username || parsed.password) {
    return 'the URL contains a user name or password: remove what stands before `@` and use a header instead';
  }
  return isDev ? null : hostFault(parsed.hostname);
}

function schemeFault(url: string, isDev: boolean): string | null {
  const [scheme] = url.toLowerCase().split(':', 1);
  const full = isDev ? ['https', 'http'] : ['https'];
  // Somebody who is still typing is not told that they are wrong.
  if (full.some((known) => `${known}://`.startsWith(url.toLowerCase()))) return null;
  if (full.includes(scheme ?? '') && url.includes('://')) return null;
  return isDev
    ? 'only https and http URLs are accepted: begin the URL with https:// or http://'
    : 'only https URLs are accepted: begin the URL with https://';
}

const RESERVED = ['localhost', 'localdomain', 'localdomain6', 'local', 'internal', 'home.arpa', 'onion', 'invalid', 'test', 'alt', 'svc', 'cluster.local'];

function hostFault(host: string): string | null {
  if (host.startsWith('[') || /^[\d.]+$/.test(host)) return null;
  if (host.endsWith('.')) return 'the host name ends with a dot: remove the dot';
  const reserved = RESERVED.find((name) => host === name || host.endsWith(`.${name}`));
  if (reserved) return `host names in \`${reserved}\` do not exist on the public Internet: use a public host name`;
  if (!host.includes('.')) return 'the host name has one label only: use a full name such as hooks.example.com';
  return null;
}

/** Whether what was typed so far is too little to be judged. */
export const isBeginning = (url: string) => /^(h(t(t(p(s(:(\/(\/)?)?)?)?)?)?)?)?$/i.test(url.trim());
