import { expect, test } from 'vitest';
import { ago, bytes, milliseconds, percent, span } from './format';

test.each([
  [0, '0 s'],
  [5, '5 s'],
  [80, '1 min 20 s'],
  [3_600, '1 h'],
  [286_465, '3 d 7 h'],
  [86_405, '1 d'],
])('a span of %d seconds is %s', (seconds, words) => expect(span(seconds)).toBe(words));

test('a rate is never rounded to all or nothing', () => {
  expect(percent(1)).toBe('100 %');
  expect(percent(0.99999)).toBe('99.9 %');
  expect(percent(0.00001)).toBe('0.1 %');
  expect(percent(0)).toBe('0 %');
  expect(percent(0.58)).toBe('58 %');
});

test('past and future are told apart', () => {
  expect(ago(0, 90_000)).toBe('1 min ago');
  expect(ago(90_000, 0)).toBe('in 1 min');
  expect(ago(0, 1_000)).toBe('just now');
});

test('sizes and latencies keep two or three digits', () => {
  expect([bytes(512), bytes(1_536), bytes(734_003_200)]).toEqual(['512 B', '1.5 KiB', '700 MiB']);
  expect([milliseconds(83.4), milliseconds(1_250), milliseconds(12_400)]).toEqual(['83 ms', '1.3 s', '12 s']);
});
