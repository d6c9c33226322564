import { expect, test } from 'vitest';
import { ago, bytes, milliseconds, moment, percent, span } from './format';

/** As one types it. */
const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test.each([
  [0, '0 s'],
  [5, '5 s'],
  [80, '1 min 20 s'],
  [3_600, '1 h'],
  [286_465, '3 d 7 h'],
  [86_405, '1 d'],
])('a span of %d seconds is %s', (seconds, words) => expect(plain(span(seconds))).toBe(words));

test('a rate is never rounded to all or nothing', () => {
  expect(plain(percent(1))).toBe('100 %');
  expect(plain(percent(0.99999))).toBe('99.9 %');
  expect(plain(percent(0.00001))).toBe('0.1 %');
  expect(plain(percent(0))).toBe('0 %');
  expect(plain(percent(0.58))).toBe('58 %');
});

test('past and future are told apart', () => {
  expect(plain(ago(0, 90_000))).toBe('1 min ago');
  expect(plain(ago(90_000, 0))).toBe('in 1 min');
  expect(plain(ago(0, 1_000))).toBe('just now');
});

test('sizes and latencies keep two or three digits', () => {
  expect([bytes(512), bytes(1_536), bytes(734_003_200)].map(plain)).toEqual(['512 B', '1.5 KiB', '700 MiB']);
  expect([milliseconds(83.4), milliseconds(1_250), milliseconds(12_400)].map(plain)).toEqual(['83 ms', '1.3 s', '12 s']);
});

test('no number is parted from its unit', () => {
  for (const text of [span(90), percent(0.5), milliseconds(12), bytes(12), ago(0, 90_000).replace(' ago', '')]) expect(text).not.toContain(' ');
});

test('today goes without its day, unless it stands alone', () => {
  const at = new Date(2026, 4, 4, 12, 30).getTime();
  expect(moment(at, at)).toBe('12:30:00');
  expect(moment(at, at, true)).toBe('4 May 12:30:00');
});
