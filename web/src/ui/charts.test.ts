import { expect, test } from 'vitest';
import { scale } from './charts';

test.each([0.3, 1, 7, 42, 99, 100, 101, 12_345, 1e9])('ticks up to %d are few, even and reach it', (value) => {
  const { top, ticks } = scale(value);
  expect(top).toBeGreaterThanOrEqual(value);
  expect(ticks[0]).toBe(0);
  expect(ticks.length).toBeLessThanOrEqual(6);
});

test('counts have no halves', () => {
  expect(scale(1, 1).ticks.every(Number.isInteger)).toBe(true);
  expect(scale(3, 1).ticks.every(Number.isInteger)).toBe(true);
});

test('nothing has a scale too', () => expect(scale(0)).toEqual({ top: 1, ticks: [0] }));
