import { expect, test } from 'vitest';
import { asProblem, Problem, sentence } from './problem';

const problem = new Problem(
  {
    type: '/docs/errors/invalid-request',
    title: 'The request has faults',
    detail: 'the request has 2 faults',
    code: 'invalid-request',
    errors: [
      { pointer: '/url', detail: 'must begin with https://' },
      { pointer: '/eventTypes/0', detail: 'names no event type' },
    ],
  },
  422,
);

test('faults are found by their field', () => {
  expect(problem.at('/url')).toEqual(['must begin with https://']);
  expect(problem.at('/eventTypes')).toEqual([]);
  expect(problem.at('/eventTypes', { below: true })).toEqual(['names no event type']);
});

test('a page of the docs is linked, and nothing else', () => {
  expect(problem.docs).toBe('/docs/errors/invalid-request');
  for (const type of ['https://evil.example/', 'javascript:alert(1)', '//evil.example', undefined]) {
    expect(new Problem(type === undefined ? {} : { type }, 500).docs).toBeNull();
  }
});

test('whatever is thrown becomes a problem', () => {
  expect(asProblem(problem)).toBe(problem);
  expect(asProblem(new Error('oh')).message).toBe('oh');
});

test('a sentence begins with a capital letter and ends', () => {
  expect(sentence('the endpoint is disabled; enable it')).toBe('The endpoint is disabled; enable it.');
  expect(sentence('Really?')).toBe('Really?');
});
