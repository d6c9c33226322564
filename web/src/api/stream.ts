// What happens now: one connection to /v1/stream that resumes where it was cut, and says how it is.

import { useEffect, useEffectEvent, useState } from 'react';
import { request } from './client';
import type { StreamMessage } from './live';
import { asProblem } from './problem';
import { EventStreamParser } from './sse';

/** `unavailable`: the server has no stream, so whoever asked refreshes by the clock instead. */
export type LiveState = 'off' | 'connecting' | 'live' | 'reconnecting' | 'unavailable';

const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 30_000;
/** The server's heartbeat comes every 15 s: after three of them nothing lives at the other end. */
const SILENCE_MS_MAX = 45_000;

interface Wish {
  endpointId?: string | undefined;
  enabled: boolean;
  onMessage: (message: StreamMessage) => void;
  /** The connection came back and some of what happened may be missing. */
  onGap: () => void;
}

export function useStream({ endpointId, enabled, onMessage, onGap }: Wish): LiveState {
  const [state, setState] = useState<LiveState>(enabled ? 'connecting' : 'off');
  const tell = useEffectEvent((message: StreamMessage) => (message.event === 'reset' ? onGap() : onMessage(message)));
  const gap = useEffectEvent(() => onGap());
  useEffect(() => {
    if (!enabled) return;
    const stop = new AbortController();
    void follow({ endpointId, tell, gap, show: setState, signal: stop.signal });
    return () => stop.abort();
  }, [endpointId, enabled]);
  return enabled ? state : 'off';
}

interface Following {
  endpointId: string | undefined;
  tell: (message: StreamMessage) => void;
  gap: () => void;
  show: (state: LiveState) => void;
  signal: AbortSignal;
}

async function follow({ endpointId, tell, gap, show, signal }: Following) {
  let lastId: string | null = null;
  let failures = 0;
  let wasLive = false;
  show('connecting');
  while (!signal.aborted) {
    try {
      await connection({
        endpointId,
        lastId,
        signal,
        opened: () => {
          failures = 0;
          show('live');
          if (wasLive && lastId === null) gap();
          wasLive = true;
        },
        arrived: (id, message) => {
          lastId = id ?? lastId;
          if (message) tell(message);
        },
      });
    } catch (fault) {
      if (signal.aborted) return;
      const { status } = asProblem(fault);
      if (status === 404) return show('unavailable');
      if (status === 401) return show('off');
    }
    if (signal.aborted) return;
    show('reconnecting');
    await pause(Math.min(BACKOFF_MS_MIN * 2 ** failures, BACKOFF_MS_MAX), signal);
    failures += 1;
  }
}

interface Connection {
  endpointId: string | undefined;
  lastId: string | null;
  signal: AbortSignal;
  opened: () => void;
  arrived: (id: string | null, message: StreamMessage | null) => void;
}

async function connection({ endpointId, lastId, signal, opened, arrived }: Connection) {
  const silence = new AbortController();
  const both = AbortSignal.any([signal, silence.signal]);
  const query = endpointId ? `?endpointId=${encodeURIComponent(endpointId)}` : '';
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  if (lastId) headers['last-event-id'] = lastId;
  const response = await request(`/v1/stream${query}`, { headers, signal: both });
  if (!response.body) return;
  opened();
  const parser = new EventStreamParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let watch = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
      const events = parser.push(value);
      for (const event of events) arrived(event.id, messageOf(event.event, event.data));
      if (events.length === 0) arrived(parser.lastId, null);
    }
  } finally {
    clearTimeout(watch);
  }
}

function messageOf(event: string, data: string): StreamMessage | null {
  if (event !== 'attempt' && event !== 'endpoint' && event !== 'reset') return null;
  try {
    return { event, data: JSON.parse(data) } as StreamMessage;
  } catch {
    return null;
  }
}

/** Ends early when the network comes back. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener('online', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener('online', end, { once: true });
    signal.addEventListener('abort', end, { once: true });
  });
}
