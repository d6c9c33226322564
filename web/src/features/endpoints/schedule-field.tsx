import { useState } from 'react';
import { Field } from '~/ui/field';
import { DEFAULT_SCHEDULE, parseSchedule, scheduleText, scheduleWords } from './schedule';

export function ScheduleField({ value, onChange, faults }: {
  value: number[] | null;
  onChange: (waits: number[] | null, fault: string | null) => void;
  faults: string[];
}) {
  const [text, setText] = useState(value ? scheduleText(value) : '');
  const own = value !== null;
  const { waits, fault } = parseSchedule(text);
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="label">Retries</legend>
      <div className="flex flex-wrap gap-x-5 gap-y-1">
        <label className="flex items-center gap-2">
          <input type="radio" name="schedule" className="size-4 accent-(--accent)" checked={!own} onChange={() => onChange(null, null)} />
          The server&rsquo;s schedule
        </label>
        <label className="flex items-center gap-2">
          <input type="radio" name="schedule" className="size-4 accent-(--accent)" checked={own} onChange={() => onChange(waits, fault)} />
          My own
        </label>
      </div>
      {own && (
        <Field label="Waits before attempts 2, 3, …" faults={fault ? [fault] : faults} hint="Up to 30, separated by commas: 5 s, 30 s, 5 min, 2 h, 1 d. Each varies by 20 %, so that not everything comes at once.">
          {(tied) => (
            <input
              {...tied}
              className="input"
              value={text}
              placeholder="5 s, 30 s, 5 min, 2 h"
              onChange={(event) => {
                setText(event.target.value);
                const parsed = parseSchedule(event.target.value);
                onChange(parsed.waits, parsed.fault);
              }}
            />
          )}
        </Field>
      )}
      <p className="hint" aria-live="polite">
        {scheduleWords(own ? waits : DEFAULT_SCHEDULE)}
        {own ? '.' : ', unless the operator set another schedule.'}
      </p>
    </fieldset>
  );
}
