import { expect, test } from 'vitest';
import { codeOf } from './sign-in';

const CODE = 'hpc_12d765292cace6164f709152a0a945edeb68a62fbcf72779fe8bde9d1a0f7c95';

test('the code is taken out of a link, and its host is not followed', () => {
  for (const link of [`http://127.0.0.1:8080/login?code=${CODE}`, ` https://evil.example/login?a=b&code=${CODE}\n`, CODE]) {
    expect(codeOf(link)).toBe(CODE);
  }
});

test.each(['', 'https://x.example/login', 'https://x.example/login?code=hpc_', `javascript:${CODE}`, 'hpk_abcdefgh12345'])('%j is no login link', (link) => {
  expect(codeOf(link)).toBeNull();
});
