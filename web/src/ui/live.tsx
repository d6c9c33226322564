// How the live connection is, in a word.

import type { LiveState } from '~/api/stream';

const LIVE_WORDS: Record<LiveState, [word: string, dot: string]> = {
  off: ['Live tail off', 'bg-idle-mark'],
  connecting: ['Connecting…', 'bg-warn-mark'],
  live: ['Live', 'bg-ok-mark animate-[pulse_2s_ease-in-out_infinite]'],
  reconnecting: ['Connection lost, reconnecting…', 'bg-warn-mark'],
  unavailable: ['Refreshes by the clock', 'bg-info-mark'],
};

export function Live({ state }: { state: LiveState }) {
  const [word, dot] = LIVE_WORDS[state];
  return (
    <span role="status" className="inline-flex items-center gap-2 text-sm whitespace-nowrap text-soft">
      <i className={`size-2 rounded-full ${dot}`} aria-hidden="true" />
      {word}
    </span>
  );
}
