// The retry schedule in words, and as it is typed.

import { span } from '~/ui/format';

/** The server's own unless its operator set another: 5 s × 4ⁿ, capped at 12 h, 13 waits (docs/concepts.md). */
export const DEFAULT_SCHEDULE: readonly number[] = Array.from({ length: 13 }, (_, n) => Math.min(5 * 4 ** n, 43_200));

export const WAITS_MAX = 30;
export const WAIT_SECONDS_MAX = 604_800;
const SHOWN = 4;

/** "Tries at once, +5 s, +20 s, … gives up after 3 d 7 h". */
export function scheduleWords(waits: readonly number[]): string {
  if (waits.length === 0) return 'Tries once, at once, and gives up if it fails';
  const shown = waits.length <= SHOWN + 1 ? waits : waits.slice(0, SHOWN);
  const steps = shown.map((wait) => `+${span(wait)}`).join(', ');
  const gap = shown.length < waits.length ? ', …' : ', then';
  const total = waits.reduce((sum, wait) => sum + wait, 0);
  return `Tries at once, ${steps}${gap} gives up after ${span(total)} (${waits.length + 1} attempts)`;
}

const UNITS: Record<string, number> = { s: 1, m: 60, min: 60, h: 3_600, d: 86_400 };

/** `5, 30s, 5 min, 2h` as seconds; a sentence where a part is none. */
export function parseSchedule(text: string): { waits: number[]; fault: string | null } {
  const parts = text.split(/[,;\n]+/).map((part) => part.trim());
  const given = parts.filter((part) => part !== '');
  const waits: number[] = [];
  for (const part of given) {
    const match = /^(\d{1,7})\s*(s|m|min|h|d)?$/i.exec(part);
    const seconds = match ? Number(match[1]) * (UNITS[(match[2] ?? 's').toLowerCase()] ?? 1) : Number.NaN;
    if (!(seconds >= 1 && seconds <= WAIT_SECONDS_MAX)) {
      return { waits, fault: `\`${part}\` is no wait: write seconds, or 30 s, 5 min, 2 h, 1 d, from 1 s to 7 d` };
    }
    waits.push(seconds);
  }
  const fault = waits.length > WAITS_MAX ? `at most ${WAITS_MAX} waits: leave out ${waits.length - WAITS_MAX}` : null;
  return { waits, fault };
}

export const scheduleText = (waits: readonly number[]) => waits.map((wait) => span(wait).replaceAll('\u00a0', ' ')).join(', ');
