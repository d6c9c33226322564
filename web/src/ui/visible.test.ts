import { expect, test } from 'vitest';
import { visible, visibleText } from './visible';

test('plain text, tabs, line feeds and every script stay as they are', () => {
  for (const text of ['plain\n\ttext', 'שלום עולם', 'مرحبا', 'naïve 🙂 日本']) expect(visible(text)).toEqual([{ text, hidden: null }]);
});

test('what turns text around is shown and does not turn', () => {
  expect(visibleText('a\u202eb\u2066c')).toBe('a‹U+202E›b‹U+2066›c');
});

test('escape sequences, bells and zeros are shown', () => {
  expect(visibleText('\u0000\u0007\u001b[31m\u007f')).toBe('\\x00\\x07\\x1b[31m\\x7f');
});

test('what has no width is shown', () => {
  expect(visibleText('pay\u200bpal\ufeff')).toBe('pay‹U+200B›pal‹U+FEFF›');
});

test('a run of controls is one piece that names them', () => {
  expect(visible('a\u0001\u0002b')).toEqual([
    { text: 'a', hidden: null },
    { text: '\\x01\\x02', hidden: 'U+0001 U+0002' },
    { text: 'b', hidden: null },
  ]);
});

test('a flood of controls makes a bounded number of pieces and leaves none unseen', () => {
  const pieces = visible('a\u0001'.repeat(50_000));
  expect(pieces.length).toBeLessThan(5_000);
  expect(pieces.some(({ text }) => /[\u0000-\u0008]/.test(text))).toBe(false);
});
