// One form to add and to edit an endpoint. Faults stand at their fields, in the API's sentences.

import { useState, type FormEvent, type ReactNode } from 'react';
import { asProblem, type Problem } from '~/api/problem';
import { useBrand, type OwnerKind } from '~/app/session';
import { Button } from '~/ui/button';
import { DialogActions } from '~/ui/dialog';
import { Disclosure } from '~/ui/disclosure';
import { Check, Field } from '~/ui/field';
import { ProblemNote } from '~/ui/notes';
import { EventPicker } from './event-picker';
import { HeadersField } from './headers-field';
import { ScheduleField } from './schedule-field';
import { isBeginning, urlFault } from './url-check';

export interface Draft {
  url: string;
  description: string;
  eventTypes: string[];
  headers: [name: string, value: string][];
  /** Null: the server's. */
  retrySchedule: number[] | null;
  skipOwnEvents: boolean;
}

export const EMPTY_DRAFT: Draft = { url: '', description: '', eventTypes: [], headers: [], retrySchedule: null, skipOwnEvents: false };

/** Before anything is sent: what would only come back as a fault. */
function missing(draft: Draft): Record<string, string> {
  const found: Record<string, string> = {};
  if (draft.url.trim() === '') found['/url'] = 'give the address of your receiver';
  if (draft.eventTypes.length === 0) found['/eventTypes'] = 'choose at least one type, or all events';
  return found;
}

export function EndpointForm({ start, ownerField, ownerKind, save, submitLabel, cancel }: {
  start: Draft;
  ownerField?: (problem: Problem | null) => ReactNode;
  ownerKind: OwnerKind;
  save: (draft: Draft) => Promise<unknown>;
  submitLabel: string;
  cancel?: ReactNode;
}) {
  const brand = useBrand();
  const [draft, setDraft] = useState(start);
  const [busy, setBusy] = useState(false);
  const [left, setLeft] = useState(false);
  const [own, setOwn] = useState<Record<string, string>>({});
  const [scheduleFault, setScheduleFault] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const set = (change: Partial<Draft>) => {
    setDraft({ ...draft, ...change });
    setOwn({});
  };
  const typed = left || !isBeginning(draft.url) ? urlFault(draft.url, brand?.dev ?? false) : null;
  const urlFaults = own['/url'] ? [own['/url']] : typed ? [typed] : (problem?.at('/url') ?? []);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const gaps = missing(draft);
    setOwn(gaps);
    setProblem(null);
    if (Object.keys(gaps).length > 0 || scheduleFault) return focusFirstFault(form);
    setBusy(true);
    try {
      await save(draft);
    } catch (fault) {
      setProblem(asProblem(fault));
      focusFirstFault(form);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-6">
      {ownerField?.(problem)}
      <Field
        label="URL"
        faults={urlFaults}
        hint={brand?.dev ? 'Where the events are posted to. In dev mode http and private addresses are allowed.' : 'Where the events are posted to. https, on a public address.'}
      >
        {(tied) => (
          <input
            {...tied}
            type="url"
            inputMode="url"
            autoComplete="off"
            spellCheck={false}
            className="input"
            placeholder="https://hooks.example.com/webhooks"
            value={draft.url}
            onBlur={() => setLeft(true)}
            onChange={(event) => {
              set({ url: event.target.value });
              setProblem(null);
            }}
          />
        )}
      </Field>
      <Field label="Description" optional faults={problem?.at('/description') ?? []}>
        {(tied) => (
          <input {...tied} className="input" maxLength={1024} value={draft.description} onChange={(event) => set({ description: event.target.value })} />
        )}
      </Field>
      <EventPicker
        value={draft.eventTypes}
        onChange={(eventTypes) => set({ eventTypes })}
        faults={own['/eventTypes'] ? [own['/eventTypes']] : (problem?.at('/eventTypes', { below: true }) ?? [])}
      />
      <Disclosure className="rounded-md border border-line" head="Advanced: headers and retries" headClassName="px-3 py-2 font-medium" open={hasAdvanced(start)}>
        <div className="flex flex-col gap-6 border-t border-line p-3">
          <HeadersField value={draft.headers} onChange={(headers) => set({ headers })} problem={problem} />
          <ScheduleField
            value={draft.retrySchedule}
            onChange={(retrySchedule, fault) => {
              set({ retrySchedule });
              setScheduleFault(fault);
            }}
            faults={problem?.at('/retrySchedule', { below: true }) ?? []}
          />
          {ownerKind === 'app' && (
            <Check
              label="Leave out the app's own events"
              hint="Events that this app itself caused are not sent back to it: this ends write-back loops."
              checked={draft.skipOwnEvents}
              onChange={(event) => set({ skipOwnEvents: event.target.checked })}
            />
          )}
        </div>
      </Disclosure>
      <ProblemNote error={problem} hide={['/url', '/description', '/eventTypes', '/headers', '/retrySchedule', '/locationId', '/companyId', '/appId']} />
      <DialogActions>
        {cancel}
        <Button type="submit" look="primary" busy={busy}>
          {submitLabel}
        </Button>
      </DialogActions>
    </form>
  );
}

const hasAdvanced = (draft: Draft) => draft.headers.length > 0 || draft.retrySchedule !== null || draft.skipOwnEvents;

function focusFirstFault(form: HTMLFormElement) {
  // After the faults are drawn.
  requestAnimationFrame(() => {
    const first = form.querySelector<HTMLElement>('[aria-invalid="true"]');
    (first?.matches('fieldset') ? first.querySelector<HTMLElement>('input') : first)?.focus();
  });
}
