import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { curlOf, quoted } from './curl';

test('a request as a command', () => {
  const text = curlOf({ url: 'https://x.example/?a=1&b=2', headers: { 'content-type': 'application/json', host: 'x', authorization: '********' }, body: `{"a":"it's"}` });
  expect(text).toBe(
    "curl -i 'https://x.example/?a=1&b=2' \\\n  -H 'content-type: application/json' \\\n  -H 'authorization: <the secret value>' \\\n  --data-binary '{\"a\":\"it'\\''s\"}'",
  );
});

test('a body that is not known is read from a file', () => {
  expect(curlOf({ url: 'https://x.example', headers: {}, body: null })).toContain('@body.json');
});

test.each(["it's", '$(touch /tmp/x) `id` "$HOME" \\', "'; rm -rf / #", 'two\nlines'])('a shell takes %j as it is', (text) => {
  expect(execFileSync('/bin/sh', ['-c', `printf %s ${quoted(text)}`], { encoding: 'utf8' })).toBe(text);
});
