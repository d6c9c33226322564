// The endpoint's own headers. Values are secrets: stored ones come masked, and sent back masked they stay as they are.

import type { Problem } from '~/api/problem';
import { Button, IconButton } from '~/ui/button';
import { Faults } from '~/ui/field';

export const MASK = '********';

type Rows = [name: string, value: string][];

export function HeadersField({ value, onChange, problem }: { value: Rows; onChange: (rows: Rows) => void; problem: Problem | null }) {
  const change = (index: number, row: [string, string]) => onChange(value.map((old, at) => (at === index ? row : old)));
  const general = problem?.at('/headers') ?? [];
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="label">Headers</legend>
      <p className="hint">Sent with every request, for example for your gateway. Values are kept encrypted and never shown again.</p>
      {value.map(([name, secret], index) => {
        const faults = problem?.at(`/headers/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`) ?? [];
        return (
          <div key={index} className="flex flex-col gap-1">
            <div className="grid grid-cols-[1fr_auto] gap-2 sm:grid-cols-[1fr_2fr_auto]">
              <input
                aria-label={`Name of header ${index + 1}`}
                aria-invalid={faults.length > 0 || undefined}
                className="input mono max-sm:col-span-2"
                placeholder="authorization"
                spellCheck={false}
                autoComplete="off"
                value={name}
                onChange={(event) => change(index, [event.target.value, secret])}
              />
              <input
                aria-label={`Value of header ${index + 1}`}
                className="input mono"
                placeholder="Bearer …"
                spellCheck={false}
                autoComplete="off"
                value={secret}
                onFocus={(event) => secret === MASK && event.target.select()}
                onChange={(event) => change(index, [name, event.target.value])}
              />
              <IconButton icon="trash" label={`Remove header ${index + 1}`} onClick={() => onChange(value.filter((_, at) => at !== index))} />
            </div>
            {secret === MASK && <p className="hint">The stored value is kept. Type to replace it.</p>}
            <Faults faults={faults} />
          </div>
        );
      })}
      <Faults faults={general} />
      <div>
        <Button small icon="plus" onClick={() => onChange([...value, ['', '']])}>
          Add header
        </Button>
      </div>
    </fieldset>
  );
}

export function headersOf(rows: Rows): Record<string, string> {
  return Object.fromEntries(rows.filter(([name, value]) => name.trim() !== '' || value !== '').map(([name, value]) => [name.trim(), value]));
}
