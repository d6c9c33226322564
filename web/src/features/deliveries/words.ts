// What the API's short words mean, in sentences.

import type { Delivery } from '~/api/client';

export const TRIGGER_WORDS: Record<Delivery['trigger'], string> = {
  event: 'Event',
  retry: 'Sent again by hand',
  replay: 'Replay',
  test: 'Test',
};

type EndReason = NonNullable<Delivery['endReason']>;

export const END_WORDS: Record<EndReason, { short: string; sentence: string }> = {
  exhausted: { short: 'gave up', sentence: 'Every attempt of the schedule failed. Mend the receiver, then send it again.' },
  gone: { short: '410 Gone', sentence: 'The receiver answered 410 Gone, which disables the endpoint. Enable it, then send this again.' },
  'endpoint-failing': { short: 'endpoint failing', sentence: 'The endpoint failed for days and was disabled. Mend the receiver, enable the endpoint, then send this again.' },
  'address-refused': { short: 'address refused', sentence: "The receiver's address is not one that may be called. Change the endpoint's URL, then send this again." },
  'by-hand': { short: 'by hand', sentence: 'Somebody cancelled it.' },
  'endpoint-deleted': { short: 'endpoint deleted', sentence: 'Its endpoint was deleted.' },
};

export const isFinal = ({ status }: Pick<Delivery, 'status'>) => status === 'succeeded' || status === 'failed' || status === 'cancelled';
