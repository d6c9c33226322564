import { expect, test } from 'vitest';
import { searchOf, sinceOf, sortOf, sortText } from './search';

test('an address keeps what a page knows and drops the rest', () => {
  expect(searchOf('q', 'since')({ q: 'a', since: 7, other: 'x' })).toEqual({ q: 'a', since: '7' });
  expect(searchOf('q')({ q: '' })).toEqual({});
  expect(searchOf('q')({ q: { deep: 1 } })).toEqual({});
});

test('an order and its text are one', () => {
  for (const text of ['url', '-p95']) expect(sortText(sortOf(text))).toBe(text);
  expect(sortOf(undefined)).toBeUndefined();
});

test('a period begins so long before now, to the minute; a moment stays one', () => {
  const now = Date.parse('2026-01-02T03:04:05.678Z');
  expect(sinceOf('1h', now)).toBe('2026-01-02T02:04:00.000Z');
  expect(sinceOf('2026-01-01T00:00:00Z', now)).toBe('2026-01-01T00:00:00Z');
  expect(sinceOf('nonsense', now)).toBeUndefined();
});
