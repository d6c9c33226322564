// A schema as rows: one per field, nested ones below theirs.

import { kindsOf, wordsOf, type Schema } from './types/model';

export interface FieldRow {
  path: string;
  name: string;
  depth: number;
  type: string;
  words: string[];
  required: boolean;
  about: string;
}

const DEPTH_MAX = 12;

export function fieldRows(schema: Schema, prefix = '', depth = 0): FieldRow[] {
  if (depth > DEPTH_MAX) return [];
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, part]) => {
    const path = `${prefix}${name}`;
    const row: FieldRow = {
      path,
      name,
      depth,
      type: typeWords(part),
      words: wordsOf(part) ?? wordsOf(part.items ?? {}) ?? [],
      required: required.has(name),
      about: part.description ?? '',
    };
    return [row, ...fieldRows(innermost(part), `${path}${'[]'.repeat(lists(part))}.`, depth + 1)];
  });
}

function innermost(schema: Schema): Schema {
  return schema.items && kindsOf(schema).includes('array') ? innermost(schema.items) : schema;
}

function lists(schema: Schema): number {
  return schema.items && kindsOf(schema).includes('array') ? 1 + lists(schema.items) : 0;
}

function typeWords(schema: Schema): string {
  const kinds = kindsOf(schema);
  if (kinds.length === 0) return 'anything';
  const words = kinds.map((kind) => (kind === 'array' && schema.items && kindsOf(schema.items).length ? `array of ${typeWords(schema.items)}` : kind)).join(' or ');
  return schema.format ? `${words} (${schema.format})` : words;
}
