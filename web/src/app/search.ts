// What a page's address may say of its filters. Unknown names and other kinds of values are dropped, never an error.

export type SearchOf<N extends string> = Partial<Record<N, string>>;

export function searchOf<const N extends string>(...names: N[]) {
  return (raw: Record<string, unknown>): SearchOf<N> => {
    const found: SearchOf<N> = {};
    for (const name of names) {
      const value = raw[name];
      if (typeof value === 'string' && value !== '') found[name] = value;
      if (typeof value === 'number' || typeof value === 'boolean') found[name] = String(value);
    }
    return found;
  };
}

/** `name` and `-name` in the address. */
export function sortOf(text: string | undefined) {
  if (!text) return undefined;
  return text.startsWith('-') ? { by: text.slice(1), desc: true } : { by: text, desc: false };
}

export const sortText = (sort: { by: string; desc: boolean } | undefined) => (sort ? `${sort.desc ? '-' : ''}${sort.by}` : undefined);

const PERIODS = { '1h': 3_600, '24h': 86_400, '7d': 604_800, '30d': 2_592_000 } as const;

export const PERIOD_OPTIONS = [
  ['', 'Any time'],
  ['1h', 'Last hour'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
] as const;

/** `since` of a period's name, to the minute so that it does not change with each drawing; a moment stays one. */
export function sinceOf(period: string | undefined, now = Date.now()): string | undefined {
  if (!period) return undefined;
  const seconds = PERIODS[period as keyof typeof PERIODS];
  if (seconds === undefined) return Number.isNaN(Date.parse(period)) ? undefined : period;
  return new Date(Math.floor(now / 60_000) * 60_000 - seconds * 1_000).toISOString();
}
