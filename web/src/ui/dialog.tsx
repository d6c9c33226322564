// The browser's own modal dialog: it keeps the focus inside and gives it back, and needs no injected style sheet.

import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { Button, IconButton } from './button';
import { ProblemNote } from './notes';
import { Card } from './page';
import { useSaving } from './saving';

export function Dialog({ open, onClose, title, children, wide = false }: {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  wide?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog || !open) return;
    const before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, [open]);
  if (!open) return null;
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      className={`m-auto max-h-[calc(100dvh-2rem)] w-[calc(100%-2rem)] overflow-auto rounded-xl border border-line bg-raised p-0 text-ink shadow-raised ${wide ? 'max-w-2xl' : 'max-w-md'}`}
    >
      <div className="flex items-center justify-between gap-4 border-b border-line py-2 pr-2 pl-5">
        <h2 id={id} className="text-lg font-semibold">
          {title}
        </h2>
        <IconButton icon="cross" label="Close" onClick={onClose} />
      </div>
      <div className="flex flex-col gap-4 p-5">{children}</div>
    </dialog>
  );
}

export function DialogActions({ children }: { children: ReactNode }) {
  return <div className="flex flex-wrap justify-end gap-2">{children}</div>;
}

/** A button that asks before it does what cannot be undone. */
export function ConfirmButton({ label, title, children, confirm, act, look = 'danger', small, icon, disabled }: {
  label: string;
  title: string;
  children: ReactNode;
  confirm: string;
  act: () => Promise<unknown>;
  look?: 'danger' | 'plain' | 'primary' | 'quiet';
  small?: boolean;
  icon?: Parameters<typeof Button>[0]['icon'];
  disabled?: boolean;
}) {
  const [open, setOpen] = useState(false);
  const { busy, problem, save } = useSaving();
  const run = async () => {
    await act();
    setOpen(false);
  };
  return (
    <>
      <Button look={look} small={small ?? false} icon={icon} disabled={disabled} onClick={() => setOpen(true)}>
        {label}
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title={title}>
        <div className="text-soft">{children}</div>
        <ProblemNote error={problem} />
        <DialogActions>
          <Button onClick={() => setOpen(false)}>Keep as it is</Button>
          <Button look={look === 'danger' ? 'danger' : 'primary'} busy={busy} onClick={() => void save(run)}>
            {confirm}
          </Button>
        </DialogActions>
      </Dialog>
    </>
  );
}

/** The last card of a page: how what it shows is done away with. */
export function RemoveCard({ verb, noun, does, children, act }: { verb: string; noun: string; does: string; children: ReactNode; act: () => Promise<unknown> }) {
  const label = `${verb} ${noun}`;
  return (
    <Card title={verb}>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="min-w-0 flex-1 basis-64 text-soft">{does}</p>
        <ConfirmButton label={label} icon="trash" title={`${verb} this ${noun}?`} confirm={label} act={act}>
          {children}
        </ConfirmButton>
      </div>
    </Card>
  );
}
