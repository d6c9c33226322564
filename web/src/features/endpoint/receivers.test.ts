import { expect, test } from 'vitest';
import page from '../../../../docs/receivers/authentication.md?raw';
import { receiversOf } from './receivers';

test('the page has a complete receiver for each of eight languages', () => {
  const receivers = receiversOf(page);
  expect(receivers.map(({ language }) => language)).toEqual(['Node.js', 'Python', 'Go', 'PHP', 'Ruby', 'Java', 'C#', 'Rust']);
  for (const { code } of receivers) {
    expect(code).toContain('WEBHOOK_SECRET');
    expect(code).toContain('/hooks/standard');
    expect(code).toContain('/hooks/x-wl');
  }
});
