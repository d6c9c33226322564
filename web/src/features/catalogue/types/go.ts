import { oneLine, pascal, recordsOf, type Field, type Schema, type Type } from './model';

export function goOf(name: string, schema: Schema): string {
  const records = recordsOf(name, schema);
  const needsJson = records.some(({ fields }) => fields.some(({ type }) => holdsAny(type)));
  const text = records
    .map(({ name: own, about, fields }) => {
      const names = unique(fields);
      const rows = fields.map((field, index): [string, string, string, string] => [
        names[index]!,
        fieldType(field),
        `\`json:"${field.wire}${field.required ? '' : ',omitempty'}"\``,
        field.about ? `// ${oneLine(field.about)}` : '',
      ]);
      const [first, second] = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length))) as [number, number];
      const tag = Math.max(0, ...rows.map((row) => row[2].length));
      const lines = rows.map(([field, type, tags, comment]) => `\t${field.padEnd(first)} ${type.padEnd(second)} ${comment ? `${tags.padEnd(tag)} ${comment}` : tags}`.trimEnd());
      return `${about ? `// ${own}: ${oneLine(about)}\n` : ''}type ${own} struct {\n${lines.join('\n')}\n}\n`;
    })
    .join('\n');
  return `package events\n${needsJson ? '\nimport "encoding/json"\n' : ''}\n${text}`;
}

// As golint writes them.
const INITIALS = /(Id|Url|Ip|Api|Html|Http|Json|Sms)(?=[A-Z0-9]|$)/g;

function unique(fields: Field[]): string[] {
  const taken = new Set<string>();
  return fields.map(({ wire }) => {
    const wish = pascal(wire).replace(INITIALS, (word) => word.toUpperCase());
    let name = wish;
    for (let n = 2; taken.has(name); n += 1) name = `${wish}${n}`;
    taken.add(name);
    return name;
  });
}

function fieldType({ type, required, nullable }: Field): string {
  const isPointer = (nullable || !required) && type.kind !== 'any' && type.kind !== 'list' && type.kind !== 'map';
  return `${isPointer ? '*' : ''}${written(type)}`;
}

function written(type: Type): string {
  switch (type.kind) {
    case 'any':
      return 'json.RawMessage';
    case 'string':
    case 'words':
      return 'string';
    case 'number':
      return 'float64';
    case 'integer':
      return 'int64';
    case 'boolean':
      return 'bool';
    case 'list':
      return `[]${written(type.of)}`;
    case 'map':
      return `map[string]${written(type.of)}`;
    case 'record':
      return type.name;
  }
}

function holdsAny(type: Type): boolean {
  if (type.kind === 'list' || type.kind === 'map') return holdsAny(type.of);
  return type.kind === 'any';
}
