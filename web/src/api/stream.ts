// What happens now: a connection to /v1/stream that resumes where it was cut, is shared on the page, and says how it is.

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
  /** Left out: of every endpoint that one sees. */
  endpointId?: string | undefined;
  enabled: boolean;
  /** Of all endpoints at once attempts may be thousands a second: without this they are not even read. */
  attempts?: boolean;
  onMessage: (message: StreamMessage) => void;
  /** The connection is there, and what happened before may be missing from what is shown. */
  onGap: () => void;
}

interface Listener {
  attempts: boolean;
  tell: (message: StreamMessage) => void;
  gap: () => void;
  show: (state: LiveState) => void;
}

/** One connection for all who follow the same: a browser has few, and the server counts them. */
interface Hub {
  state: LiveState;
  listeners: Set<Listener>;
  stop: AbortController;
}

const hubs = new Map<string, Hub>();

export function useStream({ endpointId, enabled, attempts = true, onMessage, onGap }: Wish): LiveState {
  const [state, setState] = useState<LiveState>(enabled ? 'connecting' : 'off');
  const tell = useEffectEvent((message: StreamMessage) => (message.event === 'reset' ? onGap() : onMessage(message)));
  const gap = useEffectEvent(() => onGap());
  useEffect(() => {
    if (!enabled) return;
    return listen(endpointId, { attempts, tell: (message) => tell(message), gap: () => gap(), show: setState });
  }, [endpointId, enabled, attempts]);
  return enabled ? state : 'off';
}

function listen(endpointId: string | undefined, listener: Listener): () => void {
  const key = endpointId ?? '';
  const hub = hubs.get(key) ?? begun(key, endpointId);
  hub.listeners.add(listener);
  listener.show(hub.state);
  return () => {
    hub.listeners.delete(listener);
    if (hub.listeners.size > 0) return;
    hub.stop.abort();
    hubs.delete(key);
  };
}

function begun(key: string, endpointId: string | undefined): Hub {
  const hub: Hub = { state: 'connecting', listeners: new Set(), stop: new AbortController() };
  hubs.set(key, hub);
  const each = (act: (listener: Listener) => void) => [...hub.listeners].forEach(act);
  void follow({
    endpointId,
    signal: hub.stop.signal,
    wants: (event) => event !== 'attempt' || [...hub.listeners].some(({ attempts }) => attempts),
    tell: (message) => each((listener) => (message.event !== 'attempt' || listener.attempts) && listener.tell(message)),
    gap: () => each((listener) => listener.gap()),
    show: (state) => {
      hub.state = state;
      each((listener) => listener.show(state));
    },
  });
  return hub;
}

interface Following {
  endpointId: string | undefined;
  wants: (event: string) => boolean;
  tell: (message: StreamMessage) => void;
  gap: () => void;
  show: (state: LiveState) => void;
  signal: AbortSignal;
}

async function follow({ endpointId, wants, tell, gap, show, signal }: Following) {
  let lastId: string | null = null;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await connection({
        endpointId,
        lastId,
        signal,
        opened: () => {
          failures = 0;
          show('live');
          // What was asked before the stream was there may have changed between the two.
          if (lastId === null) gap();
        },
        wants,
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
  wants: (event: string) => boolean;
  arrived: (id: string | null, message: StreamMessage | null) => void;
}

async function connection({ endpointId, lastId, signal, opened, wants, arrived }: Connection) {
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
      for (const event of events) arrived(event.id, wants(event.event) ? messageOf(event.event, event.data) : null);
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
