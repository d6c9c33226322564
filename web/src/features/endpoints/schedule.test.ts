import { expect, test } from 'vitest';
import { DEFAULT_SCHEDULE, parseSchedule, scheduleText, scheduleWords } from './schedule';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test('the usual schedule is that of the concepts page: 14 attempts over 79 h 35 m', () => {
  expect(DEFAULT_SCHEDULE).toHaveLength(13);
  const seconds = DEFAULT_SCHEDULE.reduce((sum, wait) => sum + wait, 0);
  expect(Math.floor(seconds / 60)).toBe(79 * 60 + 35);
  expect(plain(scheduleWords(DEFAULT_SCHEDULE))).toBe('Tries at once, +5 s, +20 s, +1 min 20 s, +5 min 20 s, … gives up after 3 d 7 h (14 attempts)');
});

test('short schedules are shown whole', () => {
  expect(scheduleWords([])).toBe('Tries once, at once, and gives up if it fails');
  expect(plain(scheduleWords([5, 300]))).toBe('Tries at once, +5 s, +5 min, then gives up after 5 min 5 s (3 attempts)');
});

test('waits are read with units and without', () => {
  expect(parseSchedule('5, 30s, 5 min,2h\n1 d')).toEqual({ waits: [5, 30, 300, 7_200, 86_400], fault: null });
  expect(parseSchedule('')).toEqual({ waits: [], fault: null });
});

test.each(['0', '8 d', 'soon', '-5', '1.5 h', '604801'])('%s is no wait', (text) => {
  expect(parseSchedule(text).fault).toContain(`\`${text}\``);
});

test('more than thirty waits are too many', () => {
  expect(parseSchedule(Array(31).fill('5').join(',')).fault).toContain('at most 30');
});

test('what was typed comes back', () => {
  for (const waits of [[5, 300, 1_800], [3_661], [86_400, 604_800]]) {
    const again = parseSchedule(scheduleText(waits));
    if (waits.every((wait) => scheduleText([wait]).split(' ').length === 2)) expect(again).toEqual({ waits, fault: null });
  }
});
