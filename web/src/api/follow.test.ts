import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Endpoint } from './client';
import { throttled, withChange } from './follow';
import type { Page } from './queries';

const endpoint = (id: string, createdAt: string, more: Partial<Endpoint> = {}) => ({ id, createdAt, locationId: 'here', companyId: null, appId: null, ...more }) as Endpoint;
const pages = [{ data: [endpoint('c', '3'), endpoint('b', '2')], nextCursor: 'next' }];
const ids = (changed: Page<Endpoint>[]) => changed.flatMap(({ data }) => data.map(({ id }) => id));

test('a change stays in its place, a new endpoint comes first, a deleted one goes', () => {
  expect(withChange(pages, endpoint('b', '2', { url: 'new' }), {})[0]!.data[1]!.url).toBe('new');
  expect(ids(withChange(pages, endpoint('d', '4'), {}))).toEqual(['d', 'c', 'b']);
  expect(ids(withChange(pages, { id: 'c', deleted: true }, {}))).toEqual(['b']);
});

test('what is not loaded yet, or of another owner, is not put among what is shown', () => {
  expect(withChange(pages, endpoint('a', '1'), {})).toBe(pages);
  expect(withChange(pages, { id: 'a', deleted: true }, {})).toBe(pages);
  expect(withChange(pages, endpoint('d', '4'), { locationId: 'elsewhere' })).toBe(pages);
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a storm of wishes is one act at once and one after the rest', () => {
  const act = vi.fn();
  const atMost = throttled(1_000);
  for (let wish = 0; wish < 50; wish += 1) atMost(act);
  expect(act).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1_000);
  expect(act).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(5_000);
  expect(act).toHaveBeenCalledTimes(2);
  atMost(act);
  expect(act).toHaveBeenCalledTimes(3);
});
