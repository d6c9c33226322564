import { oneLine, recordsOf, snake, type Field, type Schema, type Type } from './model';

// Of Rust 2024; `r#` makes a name of them, but not of these four.
const KEYWORDS = new Set(
  'as async await break const continue dyn else enum extern false fn for gen if impl in let loop match mod move mut pub ref return static struct trait true try type unsafe use where while yield abstract become box do final macro override priv typeof unsized virtual'.split(' '),
);
const NEVER = new Set(['crate', 'self', 'super', 'Self']);

export function rustOf(name: string, schema: Schema): string {
  const text = recordsOf(name, schema)
    .map(({ name: own, about, fields }) => {
      const taken = new Set<string>();
      const lines = fields.map((field) => written(field, taken));
      return `${about ? `/// ${oneLine(about)}\n` : ''}#[derive(Debug, Clone, Deserialize)]\npub struct ${own} {\n${lines.join('')}}\n`;
    })
    .join('\n');
  const imports = text.includes('HashMap<') ? 'use std::collections::HashMap;\n\n' : '';
  return `${imports}use serde::Deserialize; // with the feature "derive"\n${text.includes('Value') ? 'use serde_json::Value;\n' : ''}\n${text}`;
}

function written(field: Field, taken: Set<string>): string {
  const wish = snake(field.wire);
  let name = wish;
  for (let n = 2; taken.has(name); n += 1) name = `${wish}_${n}`;
  taken.add(name);
  const rename = name === field.wire ? '' : `    #[serde(rename = ${JSON.stringify(field.wire)})]\n`;
  const spelled = NEVER.has(name) ? `${name}_` : KEYWORDS.has(name) ? `r#${name}` : name;
  const doc = field.about ? `    /// ${oneLine(field.about)}\n` : '';
  const isOption = !field.required || field.nullable;
  const type = isOption ? `Option<${typeText(field.type)}>` : typeText(field.type);
  return `${doc}${rename}    pub ${spelled}: ${type},\n`;
}

function typeText(type: Type): string {
  switch (type.kind) {
    case 'any':
      return 'Value';
    case 'string':
    case 'words':
      return 'String';
    case 'number':
      return 'f64';
    case 'integer':
      return 'i64';
    case 'boolean':
      return 'bool';
    case 'list':
      return `Vec<${typeText(type.of)}>`;
    case 'map':
      return `HashMap<String, ${typeText(type.of)}>`;
    case 'record':
      return type.name;
  }
}
