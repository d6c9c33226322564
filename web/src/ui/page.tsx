// The head of a page, and cards with a title.

import { useEffect, type ReactNode } from 'react';

export function Page({ title, intro, actions, children, top }: {
  title: ReactNode;
  intro?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  top?: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Webhooks`;
  }, [title]);
  return (
    <div className="flex flex-col gap-4">
      {top}
      <header className="flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="min-w-0 flex-1 basis-64">
          <h1 className="text-xl font-semibold tracking-[-0.01em] [overflow-wrap:anywhere]">{title}</h1>
          {intro && <div className="mt-1 max-w-4xl text-pretty text-soft">{intro}</div>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function Card({ title, actions, children, padded = true, level = 2 }: {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  padded?: boolean;
  level?: 2 | 3;
}) {
  const Heading = level === 2 ? 'h2' : 'h3';
  return (
    <section className="card min-w-0">
      {(title || actions) && (
        <div className="flex min-h-11 flex-wrap items-center justify-between gap-2 px-4 py-1.5">
          {title && <Heading className="text-base font-semibold">{title}</Heading>}
          {actions}
        </div>
      )}
      <div className={padded ? (title ? 'px-4 pb-4' : 'p-4') : title ? 'border-t border-line' : ''}>{children}</div>
    </section>
  );
}

export function Facts({ rows }: { rows: (readonly [label: string, value: ReactNode] | null | false)[] }) {
  return (
    <dl className="grid grid-cols-1 gap-x-4 gap-y-0.5 sm:grid-cols-[9rem_1fr] sm:gap-y-2">
      {rows.map((row) =>
        row ? (
          <div key={row[0]} className="group contents">
            <dt className="text-soft">{row[0]}</dt>
            <dd className="min-w-0 [overflow-wrap:anywhere] max-sm:group-not-last:mb-2">{row[1]}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}

export function Filters({ children }: { children: ReactNode }) {
  return <div className="flex flex-wrap items-center gap-2">{children}</div>;
}
