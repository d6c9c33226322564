// Code, JSON and strangers' text. Text only: nothing here is ever read as HTML.

import { useId, useState } from 'react';
import { bytes, count } from './format';
import { Button, CopyButton } from './button';
import { pretty, tokens, type Token } from './json';
import { visible } from './visible';

const COLOURS: Record<Token['kind'], string | undefined> = {
  key: 'text-ink font-medium',
  string: 'text-ok',
  number: 'text-info',
  word: 'text-warn',
  punctuation: 'text-soft',
  space: undefined,
};

const FIRST_CHARACTERS = 16_384;
const WIDE_CHARACTERS = 60;
const COLOURED_CHARACTERS_MAX = 32_768;

export function Visible({ text }: { text: string }) {
  return visible(text).map((piece, index) =>
    piece.hidden === null ? (
      piece.text
    ) : (
      <span key={index} title={piece.hidden} className="rounded-sm bg-warn-soft text-warn [unicode-bidi:isolate]">
        {piece.text}
      </span>
    ),
  );
}

/** One line of a stranger's text. */
export function Stranger({ text, className = '' }: { text: string; className?: string }) {
  return (
    <bdi className={`[overflow-wrap:anywhere] ${className}`}>
      <Visible text={text} />
    </bdi>
  );
}

function Coloured({ text }: { text: string }) {
  return tokens(text).map((token, index) =>
    token.kind === 'space' ? (
      token.text
    ) : (
      <span key={index} className={COLOURS[token.kind]}>
        <Visible text={token.text} />
      </span>
    ),
  );
}

const PRE = 'mono scrolls rounded-md border border-line p-3 whitespace-pre-wrap [overflow-wrap:anywhere] [unicode-bidi:isolate]';

/** A command or a program, with a button that copies it. */
export function CodeBlock({ text, label, tall = false }: { text: string; label: string; tall?: boolean }) {
  const hasRoom = text.length <= WIDE_CHARACTERS && !text.includes('\n');
  return (
    <div className="relative flex flex-col gap-1">
      {/* Only beside one short line has the button a place; it is above all others. */}
      <pre
        dir="ltr"
        tabIndex={0}
        role="region"
        aria-label={label}
        className={`mono scrolls rounded-md border border-line p-3 text-left ${hasRoom ? 'sm:pr-24' : ''} ${tall ? 'max-h-[32rem]' : 'max-h-96'}`}
      >
        {text}
      </pre>
      <div className={`order-first self-end ${hasRoom ? 'sm:absolute sm:top-1.5 sm:right-1.5' : ''}`}>
        <CopyButton text={text} />
      </div>
    </div>
  );
}

/** A body as it came: pretty where it is JSON, raw on wish, the first part of a long one. */
export function Body({ text, label, truncated = false }: { text: string; label: string; truncated?: boolean }) {
  const [raw, setRaw] = useState(false);
  const [all, setAll] = useState(false);
  const id = useId();
  if (text === '') return <p className="hint">Empty.</p>;
  const indented = text.length <= 1_048_576 ? pretty(text) : null;
  const full = raw || indented === null ? text : indented;
  const shown = all ? full : full.slice(0, FIRST_CHARACTERS);
  const isColoured = indented !== null && shown.length <= COLOURED_CHARACTERS_MAX;
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p id={id} className="label">
          {label} <span className="font-normal text-soft">{sizeOf(text)}</span>
        </p>
        <div className="flex gap-2">
          {indented !== null && (
            <Button small look="quiet" aria-pressed={raw} onClick={() => setRaw(!raw)}>
              {raw ? 'Show pretty' : 'Show raw'}
            </Button>
          )}
          <CopyButton text={text} />
        </div>
      </div>
      <pre dir="ltr" tabIndex={0} role="region" aria-labelledby={id} className={`${PRE} max-h-[28rem]`}>
        {isColoured ? <Coloured text={shown} /> : <Visible text={shown} />}
      </pre>
      {(shown.length < full.length || truncated) && (
        <p className="hint flex flex-wrap items-center gap-2">
          {shown.length < full.length && (
            <Button small onClick={() => setAll(true)}>
              Show all {sizeOf(full)}
            </Button>
          )}
          {truncated && 'The log keeps the first 64 KiB of an answer; the rest was not read.'}
        </p>
      )}
    </div>
  );
}

/** What was not UTF-8 was replaced, so its bytes are not known any more. */
const sizeOf = (text: string) => (text.includes('\ufffd') ? `${count(text.length)} characters` : bytes(new Blob([text]).size));

export function Headers({ headers, label }: { headers: Record<string, string>; label: string }) {
  const rows = Object.entries(headers);
  if (rows.length === 0) return <p className="hint">None.</p>;
  return (
    <dl aria-label={label} className="mono overflow-hidden rounded-md border border-line bg-sunk">
      {rows.map(([name, value]) => (
        <div key={name} className="grid grid-cols-1 gap-x-3 border-b border-line px-3 py-1 last:border-0 sm:grid-cols-[11rem_1fr]">
          <dt className="text-soft">
            <Stranger text={name} />
          </dt>
          <dd className="min-w-0">
            <Stranger text={value.length > 4_096 ? `${value.slice(0, 4_096)}…` : value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
