import { expect, test } from 'vitest';
import { isBeginning, urlFault } from './url-check';

test.each(['', 'https://hooks.example.com/hoop', 'https://hooks.example.com:8443/a?b=c', 'https://203.0.113.7/', 'https://[2001:db8::1]/x'])(
  '%s has no fault that is certain',
  (url) => expect(urlFault(url, false)).toBeNull(),
);

test.each([
  ['http://hooks.example.com', 'only https URLs are accepted: begin the URL with https://'],
  ['ftp://x.example', 'only https URLs are accepted: begin the URL with https://'],
  ['https://user:pw@hooks.example.com', 'the URL contains a user name or password: remove what stands before `@` and use a header instead'],
  ['https://hooks.example.com/#a', 'the URL contains a fragment: remove `#` and what follows, which is never sent to a receiver'],
  ['https://hooks.example.com/a b', 'the URL contains a space or an invisible character: remove it or percent-encode it'],
  ['https://hooks.example.com\\a', 'the URL contains a backslash: write a slash, or %5C if a backslash is meant'],
  ['https://localhost/x', 'host names in `localhost` do not exist on the public Internet: use a public host name'],
  ['https://printer.local/x', 'host names in `local` do not exist on the public Internet: use a public host name'],
  ['https://hooks/x', 'the host name has one label only: use a full name such as hooks.example.com'],
  [`https://hooks.example.com/${'a'.repeat(2_048)}`, 'the URL is longer than 2048 characters (once normalised): shorten its path or query'],
])('%s is told in the API\'s words', (url, sentence) => expect(urlFault(url, false)).toBe(sentence));

test('in dev mode http and local names pass', () => {
  expect(urlFault('http://127.0.0.1:9000/hook', true)).toBeNull();
  expect(urlFault('http://localhost/hook', true)).toBeNull();
  expect(urlFault('ftp://localhost', true)).toContain('http://');
});

test('who is still typing is not told that they are wrong', () => {
  for (const url of ['h', 'htt', 'https', 'https:', 'https://']) {
    expect(isBeginning(url)).toBe(true);
  }
  expect(isBeginning('https://a')).toBe(false);
});
