import { expect, test } from 'vitest';
import { accentFor, contrast, parse } from './brand';

const COLOURS = ['#ffffff', '#000000', '#ffee00', '#0a58ca', '#ff3366', '#777777', '#12695a'];

test.each(COLOURS)('%s as accent stays readable on both grounds', (colour) => {
  for (const [ground, hex] of [['light', '#ffffff'], ['dark', '#151c1b']] as const) {
    const accent = accentFor(colour, ground)!;
    expect(contrast(parse(accent.ink)!, parse(hex)!)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(parse(accent.onAccent)!, parse(accent.accent)!)).toBeGreaterThanOrEqual(4.5);
  }
});

test('what is no colour is left out', () => {
  for (const text of ['red', '#fff', '#12345g', 'url(x)']) expect(accentFor(text, 'light')).toBeNull();
});
