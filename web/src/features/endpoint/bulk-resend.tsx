// Send many failed deliveries again: one after the other, with progress, stopped when wished or at the first refusal.

import { useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, type Delivery } from '~/api/client';
import { Button } from '~/ui/button';
import { Dialog, DialogActions } from '~/ui/dialog';
import { plural } from '~/ui/format';
import { ProblemNote } from '~/ui/notes';
import { say } from '~/ui/toast';

/** More at once is a replay's work, not a page's. */
const RESENT_MAX = 500;

export function BulkResend({ deliveries }: { deliveries: Delivery[] }) {
  const client = useQueryClient();
  const failed = deliveries.filter(({ status, trigger }) => status === 'failed' && trigger !== 'test').slice(0, RESENT_MAX);
  const [chosen, setChosen] = useState<Delivery[] | null>(null);
  const [done, setDone] = useState(0);
  const [error, setError] = useState<unknown>(null);
  const [isRunning, setRunning] = useState(false);
  const stopped = useRef(false);
  const open = () => {
    setChosen(failed);
    setDone(0);
    setError(null);
  };
  const close = () => {
    stopped.current = true;
    setChosen(null);
  };
  const run = async () => {
    if (!chosen) return;
    stopped.current = false;
    setRunning(true);
    setError(null);
    let sent = done;
    try {
      for (const { id } of chosen.slice(done)) {
        if (stopped.current) break;
        await api.POST('/v1/deliveries/{id}/retry', { params: { path: { id } } });
        sent += 1;
        setDone(sent);
      }
      say(`${plural(sent, 'delivery was', 'deliveries were')} sent again.`);
      if (sent === chosen.length) setChosen(null);
    } catch (fault) {
      setError(fault);
    } finally {
      setRunning(false);
      await client.invalidateQueries({ queryKey: ['/v1/deliveries'] });
    }
  };
  if (failed.length === 0 && !chosen) return null;
  const total = chosen?.length ?? 0;
  return (
    <>
      <Button small icon="retry" onClick={open}>
        Resend {failed.length} failed
      </Button>
      <Dialog open={chosen !== null} onClose={close} title={`Resend ${plural(total, 'delivery', 'deliveries')}?`}>
        <p className="text-soft">
          Those that failed for good and are loaded in this list, at most {RESENT_MAX}. Each becomes a new delivery with the same <code>webhook-id</code>.
        </p>
        {(isRunning || done > 0) && (
          <div className="flex flex-col gap-1">
            <progress className="h-2 w-full accent-(--accent)" aria-label="Sent again" value={done} max={total} />
            <p className="hint" role="status">
              {done} of {total}
            </p>
          </div>
        )}
        <ProblemNote error={error} />
        <DialogActions>
          <Button onClick={close}>{isRunning ? 'Stop' : 'Not now'}</Button>
          <Button look="primary" busy={isRunning} onClick={run}>
            {done > 0 && !isRunning ? 'Go on' : 'Resend'}
          </Button>
        </DialogActions>
      </Dialog>
    </>
  );
}
