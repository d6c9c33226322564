// Deliveries as rows, wherever they are listed.

import { Link } from '@tanstack/react-router';
import type { Delivery } from '~/api/client';
import { StatusBadge } from '~/ui/badge';
import type { Column } from '~/ui/table';
import { Ago, Time } from '~/ui/time';
import { END_WORDS, TRIGGER_WORDS } from './words';

export const deliveryColumns: Column<Delivery>[] = [
  {
    id: 'status',
    header: 'Status',
    meta: { className: 'md:w-36' },
    cell: ({ row: { original } }) => <StatusBadge status={original.status} />,
  },
  {
    id: 'type',
    header: 'Event',
    meta: { className: 'max-md:flex-1' },
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
    id: 'trigger',
    header: 'Sent because of',
    meta: { className: 'text-soft on-phone-none' },
    cell: ({ row: { original } }) => TRIGGER_WORDS[original.trigger],
  },
  {
    id: 'attempts',
    header: 'Attempts',
    meta: { className: 'text-soft on-phone-full max-md:order-last' },
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
