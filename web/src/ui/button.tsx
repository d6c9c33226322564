// Buttons, and links that look like them. A busy button keeps its width and says what it does.

import { createLink, type LinkComponent } from '@tanstack/react-router';
import { useState, type ComponentProps, type ReactNode } from 'react';
import { Icon, Spinner, type IconName } from './icon';

type Look = 'primary' | 'plain' | 'quiet' | 'danger';

const LOOKS: Record<Look, string> = {
  primary: 'bg-accent text-on-accent border-transparent hover:brightness-110',
  plain: 'bg-surface text-ink border-strong/60 hover:border-strong hover:bg-sunk',
  quiet: 'bg-transparent text-soft border-transparent hover:bg-sunk hover:text-ink',
  danger: 'bg-surface text-bad border-bad-mark/60 hover:bg-bad-soft',
};

export function buttonClass(look: Look = 'plain', small = false): string {
  const size = small ? 'h-7 px-2 text-sm' : 'h-9 px-3 text-base';
  return (
    `inline-flex ${size} shrink-0 items-center justify-center gap-2 rounded-md border font-medium whitespace-nowrap ` +
    `transition-colors duration-100 disabled:opacity-55 ${LOOKS[look]}`
  );
}

interface Dress {
  look?: Look;
  small?: boolean;
  icon?: IconName | undefined;
}

interface ButtonProps extends ComponentProps<'button'>, Dress {
  busy?: boolean;
}

export function Button({ look, small, icon, busy = false, className = '', children, disabled, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={`${buttonClass(look, small)} ${className}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {busy ? <Spinner /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

function Anchor({ look, small, icon, className = '', children, ...rest }: ComponentProps<'a'> & Dress) {
  return (
    <a className={`${buttonClass(look, small)} ${className}`} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  );
}

const RoutedAnchor = createLink(Anchor);
export const ButtonLink: LinkComponent<typeof Anchor> = (props) => <RoutedAnchor preload="intent" {...props} />;

/** Says "Copied" where it stands, to the screen reader too. */
export function CopyButton({ text, label = 'Copy', small = true, look = 'plain' }: {
  text: string | (() => string);
  label?: string;
  small?: boolean;
  look?: Look;
}) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle');
  const copy = async () => {
    const done = await copied(typeof text === 'function' ? text() : text);
    setState(done ? 'copied' : 'failed');
    setTimeout(() => setState('idle'), 2_000);
  };
  const words = { idle: label, copied: 'Copied', failed: 'Select and copy it by hand' }[state];
  return (
    <Button small={small} look={look} icon={state === 'copied' ? 'check' : 'copy'} onClick={copy}>
      <span aria-live="polite">{words}</span>
    </Button>
  );
}

/** `navigator.clipboard` exists on https and localhost alone. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedTheOldWay(text);
  }
}

function copiedTheOldWay(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'fixed top-0 left-0 size-px opacity-0';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

export function IconButton({ icon, label, ...rest }: { icon: IconName; label: string } & ComponentProps<'button'>) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className="inline-flex size-9 shrink-0 items-center justify-center rounded-md text-soft hover:bg-sunk hover:text-ink disabled:opacity-55"
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}

export function External({ href, children }: { href: string; children: ReactNode }) {
  return (
    <a href={href} target="_blank" rel="noreferrer" className="link inline-flex items-center gap-1">
      {children}
      <Icon name="external" className="size-3" />
      <span className="sr-only">(opens a new tab)</span>
    </a>
  );
}
