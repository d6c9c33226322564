// What the console says when something is wrong, empty, or takes a while.

import type { ReactNode } from 'react';
import { asProblem, sentence } from '~/api/problem';
import { Button, External } from './button';
import { Icon, Spinner, type IconName } from './icon';

type Tone = 'info' | 'warn' | 'bad' | 'ok';

const TONES: Record<Tone, string> = {
  info: 'border-info-mark/40 bg-info-soft text-info',
  warn: 'border-warn-mark/50 bg-warn-soft text-warn',
  bad: 'border-bad-mark/45 bg-bad-soft text-bad',
  ok: 'border-ok-mark/45 bg-ok-soft text-ok',
};

const ICONS: Record<Tone, IconName> = { info: 'info', warn: 'alert', bad: 'alert', ok: 'check' };

export function Note({ tone = 'info', title, children, action, role }: {
  tone?: Tone;
  title?: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
  role?: 'alert' | 'status';
}) {
  return (
    <div role={role} className={`flex flex-wrap items-start gap-x-3 gap-y-2 rounded-lg border px-3 py-2.5 ${TONES[tone]}`}>
      <Icon name={ICONS[tone]} className="mt-0.5" />
      <div className="min-w-0 flex-1 basis-52 [overflow-wrap:anywhere]">
        {title && <p className="font-semibold">{title}</p>}
        {children && <div className="text-ink">{children}</div>}
      </div>
      {action}
    </div>
  );
}

/** The API's sentence, each fault with its place, and the page that explains it. */
export function ProblemNote({ error, retry, hide = [] }: { error: unknown; retry?: () => void; hide?: string[] }) {
  if (!error) return null;
  const problem = asProblem(error);
  const faults = problem.faults.filter((fault) => !hide.some((pointer) => fault.pointer.startsWith(pointer)));
  return (
    <Note
      tone="bad"
      role="alert"
      title={problem.title}
      action={
        retry && problem.status !== 404 && (
          <Button small icon="retry" onClick={retry}>
            Try again
          </Button>
        )
      }
    >
      <p>{sentence(problem.message)}</p>
      {faults.length > 0 && (
        <ul className="mt-1 list-disc pl-5">
          {faults.map((fault) => (
            <li key={`${fault.pointer} ${fault.detail}`}>
              <code>{fault.pointer || '/'}</code> {fault.detail}
            </li>
          ))}
        </ul>
      )}
      {(problem.docs || problem.requestId) && (
        <p className="mt-1 flex flex-wrap gap-x-3 text-sm text-soft">
          {problem.docs && <External href={problem.docs}>What to do about it</External>}
          {problem.requestId && (
            <span>
              Request <code className="select-all">{problem.requestId}</code>
            </span>
          )}
        </p>
      )}
    </Note>
  );
}

export function Empty({ icon, title, children, action }: {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="mx-auto flex max-w-2xl flex-col items-center gap-3 px-4 py-10 text-center">
      <span className="flex size-10 items-center justify-center rounded-full bg-sunk text-soft">
        <Icon name={icon} className="size-5" />
      </span>
      <h2 className="text-lg font-semibold">{title}</h2>
      {children && <div className="w-full text-soft">{children}</div>}
      {action && <div className="mt-1 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p role="status" className="flex items-center justify-center gap-2 px-4 py-10 text-soft">
      <Spinner /> Loading {what}…
    </p>
  );
}
