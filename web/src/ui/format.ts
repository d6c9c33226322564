// Numbers, spans and moments as people read them. No line breaks between a number and its unit.

const NUMBER = new Intl.NumberFormat('en');
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (value: number) => (value >= 100_000 ? COMPACT.format(value) : NUMBER.format(value));

export const plural = (value: number, one: string, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

/** Never 100 % while something failed, nor 0 % while something succeeded. */
export function percent(rate: number): string {
  if (rate >= 1) return '100\u00a0%';
  if (rate <= 0) return '0\u00a0%';
  const value = Math.min(Math.max(rate * 100, 0.1), 99.9);
  return `${value.toFixed(value < 10 || value > 99 ? 1 : 0)}\u00a0%`;
}

export function milliseconds(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}\u00a0ms`;
  const seconds = ms / 1_000;
  return `${seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds)}\u00a0s`;
}

export function bytes(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = size;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)}\u00a0${units[unit]}`;
}

const SPANS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** The two largest units: `3 d 7 h`, `1 min 20 s`. */
export function span(seconds: number): string {
  let rest = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const [unit, size] of SPANS) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) parts.push(`${whole}\u00a0${unit}`);
    if (parts.length === 2 || (parts.length === 1 && whole === 0)) break;
  }
  return parts.join('\u00a0') || '0\u00a0s';
}

/** `2 min ago`, `in 5 s`; `just now` below five seconds. */
export function ago(at: number, now: number): string {
  const seconds = Math.round((now - at) / 1_000);
  if (Math.abs(seconds) < 5) return seconds < 0 ? 'in a moment' : 'just now';
  const [unit, size] = SPANS.find(([, length]) => Math.abs(seconds) >= length) ?? SPANS[3];
  const text = `${Math.floor(Math.abs(seconds) / size)}\u00a0${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

const DAY: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' };
const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
const clock = new Intl.DateTimeFormat('en-GB', CLOCK);
const dayAndClock = new Intl.DateTimeFormat('en-GB', { ...DAY, ...CLOCK });
const yearAndClock = new Intl.DateTimeFormat('en-GB', { ...DAY, year: 'numeric', ...CLOCK });

/** In the reader's zone, as short as it can be understood; with its day also today where `dated`. */
export function moment(at: number, now: number, dated = false): string {
  const [then, today] = [new Date(at), new Date(now)];
  if (!dated && then.toDateString() === today.toDateString()) return clock.format(then);
  return (then.getFullYear() === today.getFullYear() ? dayAndClock : yearAndClock).format(then).replace(',', '');
}

export const utc = (at: number) => `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
