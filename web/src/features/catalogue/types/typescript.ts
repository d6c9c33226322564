import { isIdentifier, oneLine, recordsOf, type Schema, type Type } from './model';

export function typescriptOf(name: string, schema: Schema): string {
  return recordsOf(name, schema)
    .map(({ name: own, about, fields }) => {
      const lines = fields.map(({ wire, type, required, nullable, about: text }) => {
        const comment = text ? `  /** ${oneLine(text)} */\n` : '';
        const key = isIdentifier(wire) ? wire : JSON.stringify(wire);
        return `${comment}  ${key}${required ? '' : '?'}: ${written(type)}${nullable && type.kind !== 'any' ? ' | null' : ''};`;
      });
      return `${about ? `/** ${oneLine(about)} */\n` : ''}export interface ${own} {\n${lines.join('\n')}\n}\n`;
    })
    .join('\n');
}

function written(type: Type): string {
  switch (type.kind) {
    case 'any':
      return 'unknown';
    case 'integer':
      return 'number';
    case 'words':
      return type.words.map((word) => JSON.stringify(word)).join(' | ');
    case 'list':
      return type.of.kind === 'words' && type.of.words.length > 1 ? `(${written(type.of)})[]` : `${written(type.of)}[]`;
    case 'map':
      return `Record<string, ${written(type.of)}>`;
    case 'record':
      return type.name;
    default:
      return type.kind;
  }
}
