// The API shows an app or a location by its id and lists none; the audit log tells which were registered lately.

import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { AuditEntry } from '~/api/client';
import { listQuery, rowsOf, type Filters } from '~/api/queries';

export interface Known {
  id: string;
  name: string | null;
  at: string;
}

export function useKnown(action: 'app.put' | 'location.put', enabled: boolean) {
  const list = useInfiniteQuery({ ...listQuery('/v1/audit', { action } as Filters<'/v1/audit'>, 200), enabled });
  const known = useMemo(() => knownOf(rowsOf(list.data) as AuditEntry[]), [list.data]);
  return { ...list, known };
}

/** Each once, as it was registered last. */
export function knownOf(entries: AuditEntry[]): Known[] {
  const found = new Map<string, Known>();
  for (const { object, after, at } of entries) {
    if (found.has(object.id)) continue;
    const name = after && 'name' in after && typeof after.name === 'string' ? after.name : null;
    found.set(object.id, { id: object.id, name, at });
  }
  return [...found.values()];
}
