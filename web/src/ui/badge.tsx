// A state is an icon and a word; the colour only repeats it.

import type { ReactNode } from 'react';
import type { DeliveryStatus, Health, Outcome } from '~/api/client';
import { Icon, type IconName } from './icon';

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'idle';

const TONES: Record<Tone, string> = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  info: 'bg-info-soft text-info',
  idle: 'bg-idle-soft text-idle',
};

export function Badge({ tone, icon, title, children }: {
  tone: Tone;
  icon?: IconName;
  title?: string;
  children: ReactNode;
}) {
  return (
    <span
      title={title}
      className={`inline-flex h-6 items-center gap-1 rounded-md px-2 align-middle text-xs font-semibold whitespace-nowrap ${TONES[tone]}`}
    >
      {icon && <Icon name={icon} className="size-3.5" />}
      {children}
    </span>
  );
}

type State = readonly [Tone, IconName, string];

const HEALTH: Record<Health['state'], State> = {
  healthy: ['ok', 'check', 'Healthy'],
  failing: ['bad', 'alert', 'Failing'],
  recovering: ['warn', 'retry', 'Recovering'],
  disabled: ['idle', 'pause', 'Disabled'],
};

export function HealthBadge({ health }: { health: Health }) {
  const [tone, icon, word] = HEALTH[health.state] ?? ['idle', 'info', health.state];
  return (
    <Badge tone={tone} icon={icon} title={health.message}>
      {word}
    </Badge>
  );
}

export const STATUS: Record<DeliveryStatus, State & { 3?: string }> = {
  pending: ['info', 'clock', 'Pending'],
  delivering: ['info', 'send', 'Delivering'],
  retrying: ['warn', 'retry', 'Retrying'],
  waiting: ['idle', 'pause', 'Waiting'],
  succeeded: ['ok', 'check', 'Succeeded'],
  failed: ['bad', 'cross', 'Failed'],
  cancelled: ['idle', 'block', 'Cancelled'],
};

export function StatusBadge({ status }: { status: DeliveryStatus }) {
  const [tone, icon, word] = STATUS[status] ?? ['idle', 'info', status];
  return (
    <Badge tone={tone} icon={icon}>
      {word}
    </Badge>
  );
}

export const OUTCOMES: Record<Outcome, { word: string; says: string; tone: Tone }> = {
  succeeded: { word: 'Succeeded', says: 'the receiver answered 2xx in time', tone: 'ok' },
  'http-error': { word: 'HTTP error', says: 'the receiver answered with another status', tone: 'bad' },
  timeout: { word: 'Timeout', says: 'no status line within 10 seconds', tone: 'warn' },
  dns: { word: 'DNS', says: 'the host name could not be resolved', tone: 'bad' },
  connect: { word: 'Connect', says: 'no connection to the address', tone: 'bad' },
  tls: { word: 'TLS', says: 'no secure connection, for example a bad certificate', tone: 'bad' },
  blocked: { word: 'Blocked', says: 'the address is not one that may be called', tone: 'idle' },
  protocol: { word: 'Protocol', says: 'the answer was not valid HTTP', tone: 'bad' },
};

export function OutcomeBadge({ outcome, statusCode }: { outcome: Outcome; statusCode?: number | null | undefined }) {
  const { word, says, tone } = OUTCOMES[outcome] ?? OUTCOMES.protocol;
  return (
    <Badge tone={tone} icon={outcome === 'succeeded' ? 'check' : outcome === 'blocked' ? 'block' : 'alert'} title={says}>
      {statusCode ?? word}
      {statusCode && outcome !== 'http-error' && outcome !== 'succeeded' ? ` ${word}` : ''}
    </Badge>
  );
}
