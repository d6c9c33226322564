import { expect, test } from 'vitest';
import { EventStreamParser } from './sse';

const all = (chunks: string[]) => {
  const parser = new EventStreamParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
};

test('an event has its id, its name and its data', () => {
  expect(all(['id: 7\nevent: attempt\ndata: {"a":1}\n\n'])).toEqual([{ id: '7', event: 'attempt', data: '{"a":1}' }]);
});

test('chunks may end anywhere, also within a line end', () => {
  const text = 'id: 1\r\nevent: attempt\r\ndata: x\r\n\r\n: heartbeat\n\ndata: y\n\n';
  const expected = [
    { id: '1', event: 'attempt', data: 'x' },
    { id: '1', event: 'message', data: 'y' },
  ];
  for (let cut = 0; cut <= text.length; cut += 1) expect(all([text.slice(0, cut), text.slice(cut)])).toEqual(expected);
  expect(all([...text])).toEqual(expected);
});

test('heartbeats and names without data tell nothing', () => {
  expect(all([': beat\n\nevent: reset\n\n'])).toEqual([]);
});

test('a place to go on from may come without an event', () => {
  const parser = new EventStreamParser();
  expect(parser.push('id: f48-1\nretry: 1000\n: here you are\n\n')).toEqual([]);
  expect(parser.lastId).toBe('f48-1');
});

test('lines of data are joined, and the last id stays', () => {
  expect(all(['id: 9\ndata: a\ndata: b\n\n', 'data: c\n\n'])).toEqual([
    { id: '9', event: 'message', data: 'a\nb' },
    { id: '9', event: 'message', data: 'c' },
  ]);
});
