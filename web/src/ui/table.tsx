// One table for every list: sorted by its heads, drawn row by row as it scrolls, cards on a phone.

import { flexRender, getCoreRowModel, getSortedRowModel, useReactTable, type ColumnDef, type RowData, type SortingState } from '@tanstack/react-table';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useEffectEvent, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Button } from './button';
import { plural } from './format';
import { Icon, Spinner } from './icon';

declare module '@tanstack/react-table' {
  interface ColumnMeta<TData extends RowData, TValue> {
    /** Classes of head and cells; `on-phone-full` and `on-phone-none` say what a phone does. */
    className?: string;
    /** Text of the head for readers alone. */
    hideHead?: boolean;
    _?: [TData, TValue];
  }
}

// A column's value type differs from column to column.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Column<T> = ColumnDef<T, any>;

export interface Sort {
  by: string;
  desc: boolean;
}

export interface TableProps<T> {
  label: string;
  rows: T[];
  columns: Column<T>[];
  rowKey: (row: T) => string;
  linked?: boolean;
  rowHeight?: number;
  fresh?: ReadonlySet<string>;
  sort?: Sort | undefined;
  onSort?: (sort: Sort | undefined) => void;
  more?: { has: boolean; busy: boolean; load: () => void } | undefined;
}

const OVERSCAN_ROWS = 12;

export function Table<T>(props: TableProps<T>) {
  const { label, linked = true, rowHeight = 45, more, fresh } = props;
  const table = useSorted(props);
  const { ref: body, top } = useTop();
  const sorted = table.getRowModel().rows;
  const virtual = useWindowVirtualizer({
    count: sorted.length,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN_ROWS,
    scrollMargin: top,
    getItemKey: (index) => sorted[index]?.id ?? index,
  });
  const items = virtual.getVirtualItems();
  const before = items.length ? (items[0]?.start ?? top) - top : 0;
  const after = items.length ? virtual.getTotalSize() - ((items.at(-1)?.end ?? top) - top) : 0;
  return (
    <>
      <table role="table" aria-label={label} aria-rowcount={more?.has ? -1 : sorted.length + 1} className="grid-table">
        <thead role="rowgroup">
          {table.getHeaderGroups().map((group) => (
            <tr role="row" key={group.id}>
              {group.headers.map((header) => (
                <Head key={header.id} header={header} />
              ))}
            </tr>
          ))}
        </thead>
        <tbody role="rowgroup" ref={body}>
          {before > 0 && <Space height={before} />}
          {items.map((item) => {
            const row = sorted[item.index];
            if (!row) return null;
            return (
              <tr
                role="row"
                key={row.id}
                data-index={item.index}
                aria-rowindex={item.index + 2}
                ref={virtual.measureElement}
                className={`${linked ? 'is-linked' : ''} ${fresh?.has(row.id) ? 'fresh' : ''}`}
              >
                {row.getVisibleCells().map((cell) => (
                  <td role="cell" key={cell.id} className={cell.column.columnDef.meta?.className}>
                    {flexRender(cell.column.columnDef.cell, cell.getContext())}
                  </td>
                ))}
              </tr>
            );
          })}
          {after > 0 && <Space height={after} />}
        </tbody>
      </table>
      {more && <More more={more} shown={sorted.length} last={items.at(-1)?.index ?? -1} />}
    </>
  );
}

function useSorted<T>({ rows, columns, rowKey, sort, onSort }: TableProps<T>) {
  // The same array while the order is the same: the table forgets what it sorted, and draws anew, for every other one.
  const { by, desc } = sort ?? {};
  const sorting = useMemo((): SortingState => (by === undefined ? [] : [{ id: by, desc: desc ?? false }]), [by, desc]);
  return useReactTable({
    data: rows,
    columns,
    getRowId: rowKey,
    state: { sorting },
    enableSorting: onSort !== undefined,
    sortDescFirst: false,
    autoResetAll: false,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
    onSortingChange: (change) => {
      const [first] = typeof change === 'function' ? change(sorting) : change;
      onSort?.(first && { by: first.id, desc: first.desc });
    },
  });
}

/** Where the rows begin on the page, in pixels. */
function useTop() {
  const ref = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => setTop(element.getBoundingClientRect().top + window.scrollY);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  return { ref, top };
}

function Space({ height }: { height: number }) {
  return (
    <tr className="is-space" aria-hidden="true">
      <td className="border-0 p-0" colSpan={100} style={{ height, padding: 0 }} />
    </tr>
  );
}

function Head<T>({ header }: { header: import('@tanstack/react-table').Header<T, unknown> }) {
  const { column } = header;
  const meta = column.columnDef.meta;
  const content = flexRender(column.columnDef.header, header.getContext());
  const sorted = column.getIsSorted();
  if (!column.getCanSort()) {
    return (
      <th role="columnheader" scope="col" className={meta?.className}>
        {meta?.hideHead ? <span className="sr-only">{content}</span> : content}
      </th>
    );
  }
  return (
    <th
      role="columnheader"
      scope="col"
      className={meta?.className}
      aria-sort={sorted === 'asc' ? 'ascending' : sorted === 'desc' ? 'descending' : 'none'}
    >
      <button type="button" className={`-mx-1 inline-flex h-7 items-center gap-1 rounded px-1 hover:text-ink ${meta?.className?.includes('text-right') ? 'flex-row-reverse' : ''}`} onClick={column.getToggleSortingHandler()}>
        {content}
        <Icon name={sorted === 'desc' ? 'down' : 'up'} className={`size-3 ${sorted ? '' : 'opacity-0'}`} />
      </button>
    </th>
  );
}

/** Loads the next page before the reader comes to the end; the button is for those who come there by keyboard. */
function More({ more, shown, last }: { more: NonNullable<TableProps<unknown>['more']>; shown: number; last: number }) {
  const isNear = more.has && !more.busy && last >= shown - OVERSCAN_ROWS * 2;
  const load = useEffectEvent(() => more.load());
  useEffect(() => {
    if (isNear) load();
  }, [isNear, shown]);
  return (
    <div className="flex h-11 items-center justify-center gap-3 border-t border-line text-sm text-soft" role="status">
      {more.busy ? (
        <>
          <Spinner /> Loading more…
        </>
      ) : more.has ? (
        <Button small look="quiet" onClick={more.load}>
          Load more
        </Button>
      ) : (
        <span>{plural(shown, 'row')} in all</span>
      )}
    </div>
  );
}
