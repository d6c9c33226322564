import { expect, test } from 'vitest';
import { payloadText, pretty, tokens } from './json';

test('pretty keeps numbers, escapes and the order of keys as they were written', () => {
  const text = '{"b":12345678901234567890,"a":[1.0,2e3,{}],"2":"\\u00e9\\n","1":[]}';
  expect(pretty(text)).toBe('{\n  "b": 12345678901234567890,\n  "a": [\n    1.0,\n    2e3,\n    {}\n  ],\n  "2": "\\u00e9\\n",\n  "1": []\n}');
});

test('pretty changes nothing that JSON.parse could see', () => {
  const value = { a: [{ 'k"]:': 'x,{[' }, [], {}, null, true, -0.5], b: { c: { d: '' } } };
  expect(JSON.parse(pretty(JSON.stringify(value))!)).toEqual(value);
});

test.each(['', 'plain', '{"a":', '<b>{}</b>'])('what is no JSON has no pretty form: %j', (text) => {
  expect(pretty(text)).toBeNull();
});

test('keys and strings are told apart', () => {
  expect(tokens('{"a" : "b"}').filter(({ kind }) => kind !== 'space' && kind !== 'punctuation')).toEqual([
    { kind: 'key', text: '"a"' },
    { kind: 'string', text: '"b"' },
  ]);
});

test('a payload is taken out of an answer byte for byte', () => {
  const payload = '{"z": 1.50, "id":123456789012345678,  "nested":{"payload":{"no":1}}}';
  expect(payloadText(`{"id":"evt_1","x":{"payload":{"wrong":true}},"payload": ${payload},"endpoints":[{}]}`)).toBe(payload);
});

test('braces in strings do not end a payload', () => {
  const payload = '{"a":"}\\"}","b":"{"}';
  expect(payloadText(`{"payload":${payload},"endpoints":[]}`)).toBe(payload);
});

test('an answer without a payload has none', () => {
  expect(payloadText('{"id":"evt_1","endpoints":[]}')).toBeNull();
});
