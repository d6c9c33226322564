// One request to the receiver and what came back. All of it is a stranger's text.

import { useState } from 'react';
import type { Attempt } from '~/api/client';
import { sentence } from '~/api/problem';
import { OUTCOMES, OutcomeBadge } from '~/ui/badge';
import { Body, Headers, Stranger } from '~/ui/code';
import { milliseconds } from '~/ui/format';
import { Icon } from '~/ui/icon';
import { Note } from '~/ui/notes';
import { Time } from '~/ui/time';

export function AttemptView({ attempt, requestBody, open, isTest = false }: {
  attempt: Attempt;
  /** Null: not known (any more). */
  requestBody: string | null;
  open: boolean;
  isTest?: boolean;
}) {
  const [isOpen, setOpen] = useState(open);
  return (
    <article className="card overflow-clip">
      <h3>
        <button
          type="button"
          aria-expanded={isOpen}
          className="flex min-h-12 w-full flex-wrap items-center gap-x-2 gap-y-1 px-4 py-2 text-left sm:gap-x-3 hover:bg-sunk"
          onClick={() => setOpen(!isOpen)}
        >
          <Icon name={isOpen ? 'down' : 'right'} className="text-soft" />
          <span className="font-semibold">Attempt {attempt.number}</span>
          <OutcomeBadge outcome={attempt.outcome} statusCode={attempt.statusCode} />
          <span className="text-soft">{milliseconds(attempt.durationMs)}</span>
          <span className="ml-auto text-sm text-soft">
            <Time at={attempt.startedAt} />
          </span>
        </button>
      </h3>
      {isOpen && <AttemptDetail attempt={attempt} requestBody={requestBody} isTest={isTest} />}
    </article>
  );
}

export function AttemptDetail({ attempt, requestBody, isTest }: { attempt: Attempt; requestBody: string | null; isTest: boolean }) {
  const { response } = attempt;
  return (
    <div className="flex flex-col gap-4 border-t border-line p-4">
      {attempt.error && (
        <Note tone="bad" title={OUTCOMES[attempt.outcome].word}>
          <Stranger text={sentence(attempt.error)} />
        </Note>
      )}
      <Timings attempt={attempt} />
      <div className="grid gap-4 lg:grid-cols-2">
        <section className="flex min-w-0 flex-col gap-2">
          <h4 className="eyebrow">Request</h4>
          <Headers headers={attempt.request.headers} label="Request headers" />
          {requestBody === null ? (
            <p className="hint">{isTest ? 'The body of a test is not kept in the log.' : 'The body is that of the event, which is not available any more.'}</p>
          ) : (
            <Body text={requestBody} label="Body" />
          )}
        </section>
        <section className="flex min-w-0 flex-col gap-2 max-lg:order-first">
          <h4 className="eyebrow">
            Response {attempt.remoteAddress && <span className="font-normal">from {attempt.remoteAddress}</span>}
          </h4>
          {response ? (
            <>
              <Headers headers={response.headers} label="Response headers" />
              <Body text={response.body} label="Body" truncated={response.truncated} />
            </>
          ) : (
            <p className="hint">None came.</p>
          )}
        </section>
      </div>
    </div>
  );
}

const PHASES = [
  ['dnsMs', 'DNS', 'var(--chart-network)'],
  ['connectMs', 'Connect', 'var(--info-mark)'],
  ['tlsMs', 'TLS', 'var(--warn-mark)'],
  ['waitMs', 'Wait', 'var(--ok-mark)'],
] as const;

function Timings({ attempt }: { attempt: Attempt }) {
  const all = PHASES.map(([key, label, colour]) => ({ label, colour, ms: attempt.timings[key] ?? null }));
  const isKept = attempt.timings.waitMs != null && all.slice(0, 3).every(({ ms }) => ms === null);
  const phases = isKept ? all.slice(3) : all;
  const total = Math.max(attempt.durationMs, phases.reduce((sum, { ms }) => sum + (ms ?? 0), 0), 1);
  return (
    <div className="flex flex-col gap-1.5">
      <div className="flex h-2 overflow-hidden rounded-full bg-sunk" aria-hidden="true">
        {phases.map(({ label, colour, ms }) => ms !== null && <span key={label} style={{ width: `${(ms / total) * 100}%`, background: colour }} />)}
      </div>
      <dl className="flex flex-wrap gap-x-5 gap-y-1 text-sm" aria-label="Timings">
        {phases.map(({ label, colour, ms }) => (
          <div key={label} className="flex items-center gap-1.5">
            <i className="size-2 rounded-[2px]" style={{ background: colour }} aria-hidden="true" />
            <dt className="text-soft">{label}</dt>
            <dd>{ms === null ? '–' : milliseconds(ms)}</dd>
          </div>
        ))}
        <div className="flex items-center gap-1.5">
          <dt className="text-soft">In all</dt>
          <dd>
            {milliseconds(attempt.durationMs)}
            {isKept && <span className="text-soft"> on a connection that was open already</span>}
          </dd>
        </div>
      </dl>
    </div>
  );
}
