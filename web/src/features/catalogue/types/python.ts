import { oneLine, recordsOf, type Rec, type Schema, type Type } from './model';

// Of Python 3; a field of such a name cannot be written in a class.
const KEYWORDS = new Set(
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield'.split(' '),
);

export function pythonOf(name: string, schema: Schema): string {
  // A class is defined before it is used.
  const records = recordsOf(name, schema).reverse();
  const text = records.map((record) => (record.fields.every(({ wire }) => isName(wire)) ? asClass(record) : asCall(record))).join('\n\n');
  const typing = ['Any', 'Literal', 'NotRequired', 'Optional', 'TypedDict'].filter((word) => new RegExp(`\\b${word}\\b`).test(text));
  return `from __future__ import annotations\n\nfrom typing import ${typing.join(', ')}  # Python 3.11\n\n\n${text}`;
}

const isName = (wire: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(wire) && !wire.startsWith('__') && !KEYWORDS.has(wire);

function asClass({ name, about, fields }: Rec): string {
  const lines = fields.map((field) => `    ${field.wire}: ${fieldType(field)}${field.about ? `  # ${oneLine(field.about)}` : ''}`);
  const doc = about ? `    """${oneLine(about).replaceAll('\\', '\\\\').replaceAll('"""', "'''")}"""\n\n` : '';
  return `class ${name}(TypedDict):\n${doc}${lines.length ? lines.join('\n') : '    pass'}\n`;
}

function asCall({ name, fields }: Rec): string {
  const lines = fields.map((field) => `    ${JSON.stringify(field.wire)}: ${JSON.stringify(fieldType(field))},`);
  return `${name} = TypedDict("${name}", {\n${lines.join('\n')}\n})\n`;
}

function fieldType({ type, required, nullable }: Rec['fields'][number]): string {
  const plain = nullable && type.kind !== 'any' ? `Optional[${written(type)}]` : written(type);
  return required ? plain : `NotRequired[${plain}]`;
}

function written(type: Type): string {
  switch (type.kind) {
    case 'any':
      return 'Any';
    case 'string':
      return 'str';
    case 'number':
      return 'float';
    case 'integer':
      return 'int';
    case 'boolean':
      return 'bool';
    case 'words':
      return `Literal[${type.words.map((word) => JSON.stringify(word)).join(', ')}]`;
    case 'list':
      return `list[${written(type.of)}]`;
    case 'map':
      return `dict[str, ${written(type.of)}]`;
    case 'record':
      return type.name;
  }
}
