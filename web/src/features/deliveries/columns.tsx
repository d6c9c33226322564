// Deliveries as rows, wherever they are listed.

import { Link } from '@tanstack/react-router';
import type { ListedDelivery } from '~/api/client';
import { OUTCOMES, StatusBadge } from '~/ui/badge';
import { milliseconds } from '~/ui/format';
import type { Column } from '~/ui/table';
import { Ago, Time } from '~/ui/time';
import { END_WORDS, TRIGGER_WORDS } from './words';

export const deliveryColumns: Column<ListedDelivery>[] = [
  {
    id: 'status',
    header: 'Status',
    meta: { className: 'md:w-36' },
    cell: ({ row: { original } }) => <StatusBadge status={original.status} />,
  },
  {
    id: 'type',
    header: 'Event',
    meta: { className: 'on-phone-full max-md:order-first' },
    cell: ({ row: { original } }) => (
      <Link to="/deliveries/$id" params={{ id: original.id }} className="row-link block truncate font-medium">
        {original.type}
      </Link>
    ),
  },
  {
    id: 'id',
    header: 'Delivery',
    meta: { className: 'on-phone-none max-lg:hidden' },
    cell: ({ row: { original } }) => (
      <code className="text-xs text-soft" title={original.id}>
        …{original.id.slice(-10)}
      </code>
    ),
  },
  {
    id: 'answer',
    header: 'Last answer',
    meta: { className: 'text-soft whitespace-nowrap on-phone-none' },
    cell: ({ row: { original } }) => original.lastAttempt && <Answer of={original.lastAttempt} />,
  },
  {
    id: 'trigger',
    header: 'Sent because of',
    meta: { className: 'text-soft on-phone-none' },
    cell: ({ row: { original } }) => TRIGGER_WORDS[original.trigger],
  },
  {
    id: 'attempts',
    header: 'Attempts',
    meta: { className: 'text-soft max-md:flex-1' },
    cell: ({ row: { original } }) => (
      <>
        {original.attemptCount}
        <span className="md:hidden"> {original.attemptCount === 1 ? 'attempt' : 'attempts'}</span>
        {original.status === 'retrying' && original.nextAttemptAt && (
          <>
            , next <Ago at={original.nextAttemptAt} />
          </>
        )}
        {original.endReason && `, ${END_WORDS[original.endReason].short}`}
      </>
    ),
  },
  {
    id: 'created',
    header: 'Created',
    meta: { className: 'text-right text-soft' },
    cell: ({ row: { original } }) => <Time at={original.createdAt} />,
  },
];

/** What the receiver said and after how long; where it said nothing, what stood in the way. */
function Answer({ of: { outcome, statusCode, durationMs } }: { of: NonNullable<ListedDelivery['lastAttempt']> }) {
  return (
    <>
      <span title={OUTCOMES[outcome].says} className={outcome === 'succeeded' ? undefined : 'text-bad'}>
        {statusCode ?? OUTCOMES[outcome].word}
      </span>
      {' · '}
      {milliseconds(durationMs)}
    </>
  );
}
