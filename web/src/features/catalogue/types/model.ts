// A JSON Schema of the catalogue as named records, from which the types of each language are written.

export interface Schema {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  format?: string;
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  examples?: unknown[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
}

export type Type =
  | { kind: 'string' | 'number' | 'integer' | 'boolean' | 'any' }
  | { kind: 'words'; words: string[] }
  | { kind: 'list'; of: Type }
  | { kind: 'map'; of: Type }
  | { kind: 'record'; name: string };

export interface Field {
  /** As in the JSON. */
  wire: string;
  type: Type;
  required: boolean;
  nullable: boolean;
  about: string;
}

export interface Rec {
  name: string;
  about: string;
  fields: Field[];
}

/** The records, the whole payload's first; each is named after its place. */
export function recordsOf(name: string, schema: Schema): Rec[] {
  const records: Rec[] = [];
  const taken = new Set<string>();
  add(pascal(name), schema);
  return records;

  function add(wish: string, of: Schema): string {
    let own = wish;
    for (let n = 2; taken.has(own); n += 1) own = `${wish}${n}`;
    taken.add(own);
    const record: Rec = { name: own, about: of.description ?? '', fields: [] };
    records.push(record);
    const required = new Set(of.required ?? []);
    for (const [wire, part] of Object.entries(of.properties ?? {})) {
      record.fields.push({
        wire,
        type: typeOf(`${own}${pascal(wire)}`, part),
        required: required.has(wire),
        nullable: kindsOf(part).includes('null'),
        about: part.description ?? '',
      });
    }
    return own;
  }

  function typeOf(place: string, of: Schema): Type {
    const words = wordsOf(of);
    if (words) return { kind: 'words', words };
    const kinds = kindsOf(of).filter((kind) => kind !== 'null');
    if (kinds.length !== 1) return { kind: 'any' };
    switch (kinds[0]) {
      case 'object':
        if (of.properties && Object.keys(of.properties).length > 0) return { kind: 'record', name: add(place, of) };
        return { kind: 'map', of: typeof of.additionalProperties === 'object' ? typeOf(`${place}Value`, of.additionalProperties) : { kind: 'any' } };
      case 'array':
        return { kind: 'list', of: of.items ? typeOf(singular(place), of.items) : { kind: 'any' } };
      case 'string':
      case 'number':
      case 'integer':
      case 'boolean':
        return { kind: kinds[0] };
      default:
        return { kind: 'any' };
    }
  }
}

export function kindsOf({ type }: Schema): string[] {
  return type === undefined ? [] : Array.isArray(type) ? type : [type];
}

/** The strings that are allowed, where they are listed. */
export function wordsOf(schema: Schema): string[] | null {
  if (typeof schema.const === 'string') return [schema.const];
  const words = schema.enum?.filter((word): word is string => typeof word === 'string');
  return words && words.length > 0 && words.length === schema.enum?.filter((word) => word !== null).length ? words : null;
}

export function pascal(text: string): string {
  const parts = text.split(/[^A-Za-z0-9]+/).filter(Boolean);
  const joined = parts.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('');
  return /^[A-Za-z]/.test(joined) ? joined : `X${joined}`;
}

export function snake(text: string): string {
  const parts = text.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2');
  const name = parts.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '').toLowerCase();
  return /^[a-z]/.test(name) ? name : `x_${name}`;
}

function singular(place: string): string {
  if (/ies$/.test(place)) return place.replace(/ies$/, 'y');
  return /[^s]s$/.test(place) ? place.slice(0, -1) : `${place}Item`;
}

/** A comment of one line, whatever the text holds. */
export const oneLine = (text: string) => text.replace(/\s+/g, ' ').replaceAll('*/', '* /').trim();

export const isIdentifier = (text: string) => /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(text);
