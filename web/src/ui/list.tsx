// A list as it comes page by page: on its way, refused, empty, or a table.

import type { ReactNode } from 'react';
import { Loading, ProblemNote } from './notes';
import { Table, type TableProps } from './table';

interface Paged {
  data: unknown;
  error: unknown;
  isPending: boolean;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  refetch: () => unknown;
  fetchNextPage: () => unknown;
}

interface ListProps<T> extends Omit<TableProps<T>, 'more'> {
  list: Paged;
  /** What is loading: "the events". */
  what: string;
  /** In place of the table where there are no rows. */
  empty: ReactNode;
}

export function List<T>({ list, what, empty, ...table }: ListProps<T>) {
  const more = { has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() };
  return (
    <>
      {list.isPending && <Loading what={what} />}
      {list.error !== null && <ProblemNote error={list.error} retry={() => void list.refetch()} />}
      {list.data !== undefined && table.rows.length === 0 && <div className="card">{empty}</div>}
      {table.rows.length > 0 && (
        <div className="card overflow-clip">
          <Table {...table} more={more} />
        </div>
      )}
    </>
  );
}
