import type { AuditEntry } from '~/api/client';

export const ACTION_WORDS: Record<AuditEntry['action'], string> = {
  'endpoint.created': 'Endpoint added',
  'endpoint.updated': 'Endpoint changed',
  'endpoint.deleted': 'Endpoint deleted',
  'endpoint.disabled': 'Endpoint disabled',
  'endpoint.tested': 'Test sent',
  'secret.read': 'Secret read',
  'secret.rotated': 'Secret rotated',
  'secret.promoted': 'New secret promoted',
  'location.put': 'Location registered',
  'location.deleted': 'Location removed',
  'app.put': 'App registered',
  'app.deleted': 'App removed',
  'app.installed': 'App installed',
  'app.uninstalled': 'App uninstalled',
  'api-key.created': 'API key made',
  'api-key.deleted': 'API key deleted',
  'session.created': 'Login link made',
  'session.opened': 'Signed in',
  'session.revoked': 'Session revoked',
  'delivery.retried': 'Delivery resent',
  'delivery.cancelled': 'Delivery cancelled',
  'egress.allowed': 'Addresses allowed',
  'master-key.rotated': 'Master key rotated',
};

export const ACTIONS = Object.keys(ACTION_WORDS) as AuditEntry['action'][];

export interface Change {
  field: string;
  before: string;
  after: string;
}

/** The fields that differ; times of the change itself say nothing. */
export function changesOf(before: unknown, after: unknown): Change[] {
  if (!isRecord(before) || !isRecord(after)) return [];
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
  fields.delete('updatedAt');
  return [...fields].flatMap((field) => {
    const [old, now] = [JSON.stringify(before[field] ?? null), JSON.stringify(after[field] ?? null)];
    return old === now ? [] : [{ field, before: old, after: now }];
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
