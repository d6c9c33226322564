// What just happened, said once, in a corner and to the screen reader.

import { useSyncExternalStore } from 'react';
import { asProblem, sentence } from '~/api/problem';
import { External, IconButton } from './button';
import { Icon } from './icon';

interface Toast {
  id: number;
  tone: 'ok' | 'bad';
  text: string;
  docs: string | null;
}

let toasts: Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();
const SHOWN_MS = 6_000;

function change(next: Toast[]) {
  toasts = next;
  listeners.forEach((tell) => tell());
}

function drop(id: number) {
  change(toasts.filter((toast) => toast.id !== id));
}

function add(toast: Omit<Toast, 'id'>) {
  const id = nextId++;
  change([...toasts.slice(-3), { ...toast, id }]);
  // A fault stays until it is closed: there is something to read.
  if (toast.tone === 'ok') setTimeout(() => drop(id), SHOWN_MS);
}

export const say = (text: string) => add({ tone: 'ok', text, docs: null });

export function sayFault(error: unknown) {
  const problem = asProblem(error);
  add({ tone: 'bad', text: `${problem.title}: ${sentence(problem.message)}`, docs: problem.docs });
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div role="status" aria-live="polite" className="pointer-events-none fixed right-4 bottom-4 left-4 z-50 flex flex-col items-end gap-2">
      {shown.map((toast) => (
        <div key={toast.id} className="pointer-events-auto flex max-w-md items-start gap-2 rounded-lg border border-line bg-raised py-1 pr-1 pl-3 shadow-raised">
          <Icon name={toast.tone === 'ok' ? 'check' : 'alert'} className={`mt-2 ${toast.tone === 'ok' ? 'text-ok' : 'text-bad'}`} />
          <p className="py-1.5 [overflow-wrap:anywhere]">
            {toast.text} {toast.docs && <External href={toast.docs}>What to do</External>}
          </p>
          <IconButton icon="cross" label="Dismiss" onClick={() => drop(toast.id)} />
        </div>
      ))}
    </div>
  );
}
