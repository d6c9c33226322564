import { expect, test } from 'vitest';
import { axisTimes, scale } from './charts';

test.each([0.3, 1, 7, 42, 99, 100, 101, 12_345, 1e9])('ticks up to %d are few, even and reach it', (value) => {
  const { top, ticks } = scale(value);
  expect(top).toBeGreaterThanOrEqual(value);
  expect(ticks[0]).toBe(0);
  expect(ticks.length).toBeLessThanOrEqual(6);
});

test('counts have no halves', () => {
  expect(scale(1, 1).ticks.every(Number.isInteger)).toBe(true);
  for (const value of [3, 9, 10, 23, 99]) expect(scale(value, 1).ticks.every(Number.isInteger)).toBe(true);
});

test('nothing has a scale too', () => expect(scale(0)).toEqual({ top: 1, ticks: [0] }));

test.each([
  [5, 120],
  [60, 60],
  [1_800, 48],
  [21_600, 120],
])('moments of %d s are named at round times, none twice, and not too many', (seconds, length) => {
  const points = Array.from({ length }, (_, index) => ({ at: new Date(Date.UTC(2026, 4, 4, 3, 31) + index * seconds * 1_000).toISOString(), values: {} }));
  const named = axisTimes(points, 9);
  expect(named.length).toBeGreaterThanOrEqual(3);
  expect(named.length).toBeLessThanOrEqual(10);
  expect(new Set(named.map(([, text]) => text)).size).toBe(named.length);
});

test('few labels are still two where there is room', () => {
  const points = Array.from({ length: 120 }, (_, index) => ({ at: new Date(Date.UTC(2026, 4, 4, 5, 57) + index * 5_000).toISOString(), values: {} }));
  expect(axisTimes(points, 4)).toHaveLength(2);
});
