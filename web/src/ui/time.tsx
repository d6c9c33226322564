// Moments in the reader's zone, in UTC on hover. One clock drives them all.

import { useSyncExternalStore } from 'react';
import { ago, moment, span, utc } from './format';

const listeners = new Set<() => void>();
let now = Date.now();
let ticking: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void) {
  listeners.add(listener);
  now = Date.now();
  ticking ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((tell) => tell());
  }, 1_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  };
}

/** Milliseconds; renders anew each second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** Alone it needs its day; in a list the day of today goes without saying. */
export function Time({ at, dated = false }: { at: string; dated?: boolean }) {
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={utc(time)} className="whitespace-nowrap">
      {moment(time, now, dated)}
    </time>
  );
}

export function Ago({ at }: { at: string }) {
  const time = Date.parse(at);
  const current = useNow();
  return (
    <time dateTime={at} title={utc(time)} className="whitespace-nowrap">
      {ago(time, current)}
    </time>
  );
}

/** Counts down to a moment; `over` once it has come. */
export function Countdown({ until, over }: { until: string; over: string }) {
  const seconds = (Date.parse(until) - useNow()) / 1_000;
  return (
    <time dateTime={until} title={utc(Date.parse(until))}>
      {seconds > 0 ? span(seconds) : over}
    </time>
  );
}

/** How long something lasts already. */
export function For({ since }: { since: string }) {
  return (
    <time dateTime={since} title={utc(Date.parse(since))}>
      {span((useNow() - Date.parse(since)) / 1_000)}
    </time>
  );
}

const MOMENT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** A sentence of the API: its moments are shown in the reader's zone. */
export function Sentence({ text }: { text: string }) {
  return <>{text.split(MOMENT).map((part, index) => (index % 2 ? <Time key={index} at={part} /> : part))}</>;
}
