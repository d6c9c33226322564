// A labelled control: its hint and its fault are tied to it for every reader.

import { useId, type ComponentProps, type ReactNode } from 'react';
import { sentence } from '~/api/problem';
import { Icon } from './icon';

interface Tied {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean | undefined;
}

export function Field({ label, hint, faults = [], optional = false, children }: {
  label: string;
  hint?: ReactNode;
  faults?: string[];
  optional?: boolean;
  children: (tied: Tied) => ReactNode;
}) {
  const id = useId();
  const described = [hint ? `${id}-hint` : '', faults.length ? `${id}-fault` : ''].filter(Boolean).join(' ');
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="label">
        {label} {optional && <span className="font-normal text-soft">(optional)</span>}
      </label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': faults.length > 0 || undefined })}
      <Faults id={`${id}-fault`} faults={faults} />
      {hint && (
        <div id={`${id}-hint`} className="hint">
          {hint}
        </div>
      )}
    </div>
  );
}

export function Faults({ id, faults }: { id?: string; faults: string[] }) {
  return (
    <div id={id} aria-live="polite" className="empty:absolute">
      {faults.map((fault) => (
        <p key={fault} className="flex gap-1.5 text-sm text-bad">
          <Icon name="alert" className="mt-0.5" />
          <span className="min-w-0 [overflow-wrap:anywhere]">{sentence(fault)}</span>
        </p>
      ))}
    </div>
  );
}

export function Check({ label, hint, ...rest }: { label: ReactNode; hint?: ReactNode } & ComponentProps<'input'>) {
  const id = useId();
  return (
    <div className="flex items-start gap-2">
      <input
        id={id}
        type="checkbox"
        aria-describedby={hint ? `${id}-hint` : undefined}
        className="mt-0.5 size-4 shrink-0 accent-(--accent)"
        {...rest}
      />
      <div className="min-w-0">
        <label htmlFor={id}>{label}</label>
        {hint && (
          <p id={`${id}-hint`} className="hint">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}

/** A filter above a table: its label is read, not shown. */
export function FilterSelect({ label, value, onChange, options }: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  options: readonly (readonly [value: string, label: string])[];
}) {
  return (
    <select aria-label={label} className="input w-auto max-w-full flex-1 basis-36 sm:w-48 sm:flex-none sm:basis-auto" value={value} onChange={(event) => onChange(event.target.value)}>
      {options.map(([option, text]) => (
        <option key={option} value={option}>
          {text}
        </option>
      ))}
    </select>
  );
}

export function SearchField({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  return (
    <div className="relative min-w-0 flex-1 basis-56">
      <Icon name="search" className="pointer-events-none absolute top-2.5 left-2.5 text-faint" />
      <input
        type="search"
        aria-label={label}
        placeholder={label}
        className="input pl-8"
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
