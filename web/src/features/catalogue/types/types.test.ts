// Every type of the catalogue in every language; what can be checked by its own compiler is.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import ts from 'typescript';
import { fieldRows } from '../fields';
import { LANGUAGES } from '.';
import type { Schema } from './model';

interface Entry {
  type: string;
  schema: Schema;
  example: unknown;
}

const CATALOGUE = new URL('../../../../../catalogue/', import.meta.url);
const entries = readdirSync(CATALOGUE)
  .filter((name) => name.endsWith('.json') && name !== 'index.json')
  .map((name) => JSON.parse(readFileSync(new URL(name, CATALOGUE), 'utf8')) as Entry);

const folder = mkdtempSync(join(tmpdir(), 'types-'));
afterAll(() => rmSync(folder, { recursive: true }));

const has = (command: string, argument = '--version') => spawnSync(command, [argument]).status === 0;

test('the catalogue has 58 types', () => expect(entries).toHaveLength(58));

test('TypeScript: the compiler accepts the types, and every example fits its type', () => {
  const files = entries.map(({ type, schema, example }) => {
    const path = join(folder, `${type}.ts`);
    writeFileSync(path, `${LANGUAGES.TypeScript(type, schema)}\nexport const example: ${type} = ${JSON.stringify(example)};\n`);
    return path;
  });
  const program = ts.createProgram(files, { strict: true, noEmit: true, types: [], target: ts.ScriptTarget.ES2022 });
  const faults = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
  // An example may hold more than its schema names, which an object literal may not.
  expect(faults.filter((fault) => !fault.includes('Object literal may only specify known properties'))).toEqual([]);
}, 60_000);

test.skipIf(!has('python3'))('Python: every module compiles', () => {
  for (const { type, schema } of entries) writeFileSync(join(folder, `${type}.py`), LANGUAGES.Python(type, schema));
  const program = 'import ast, pathlib, sys\nfor p in sorted(pathlib.Path(sys.argv[1]).glob("*.py")): ast.parse(p.read_text(), str(p))';
  execFileSync('python3', ['-c', program, folder]);
}, 30_000);

test.skipIf(!has('go', 'version'))('Go: every file parses', () => {
  for (const { type, schema } of entries) writeFileSync(join(folder, `${type}.go`), LANGUAGES.Go(type, schema));
  expect(spawnSync('gofmt', ['-e', '-l', folder], { encoding: 'utf8' }).stderr).toBe('');
}, 30_000);

test.skipIf(!has('rustfmt'))('Rust: every file parses', () => {
  for (const { type, schema } of entries) writeFileSync(join(folder, `${type}.rs`), LANGUAGES.Rust(type, schema));
  const files = entries.map(({ type }) => join(folder, `${type}.rs`));
  const { stderr } = spawnSync('rustfmt', ['--edition', '2024', ...files], { encoding: 'utf8' });
  expect(stderr).not.toContain('error');
}, 30_000);

const SMALL: Schema = {
  type: 'object',
  description: 'A thing happened.',
  required: ['type', '_id'],
  properties: {
    type: { const: 'Thing', type: 'string' },
    _id: { type: 'string', description: 'Id.' },
    amount: { type: ['number', 'null'] },
    state: { type: 'string', enum: ['a', 'b'] },
    items: { type: 'array', items: { type: 'object', properties: { value: {} } } },
    class: { type: 'boolean' },
    'odd-name': { type: 'integer' },
  },
};

test('TypeScript of a small schema', () => {
  expect(LANGUAGES.TypeScript('Thing', SMALL)).toMatchInlineSnapshot(`
    "/** A thing happened. */
    export interface Thing {
      type: "Thing";
      /** Id. */
      _id: string;
      amount?: number | null;
      state?: "a" | "b";
      items?: ThingItem[];
      class?: boolean;
      "odd-name"?: number;
    }

    export interface ThingItem {
      value?: unknown;
    }
    "
  `);
});

test('Python of a small schema', () => {
  expect(LANGUAGES.Python('Thing', SMALL)).toMatchInlineSnapshot(`
    "from __future__ import annotations

    from typing import Any, Literal, NotRequired, Optional, TypedDict  # Python 3.11


    class ThingItem(TypedDict):
        value: NotRequired[Any]


    Thing = TypedDict("Thing", {
        "type": "Literal[\\"Thing\\"]",
        "_id": "str",
        "amount": "NotRequired[Optional[float]]",
        "state": "NotRequired[Literal[\\"a\\", \\"b\\"]]",
        "items": "NotRequired[list[ThingItem]]",
        "class": "NotRequired[bool]",
        "odd-name": "NotRequired[int]",
    })
    "
  `);
});

test('Go of a small schema', () => {
  expect(LANGUAGES.Go('Thing', SMALL)).toMatchInlineSnapshot(`
    "package events

    import "encoding/json"

    // Thing: A thing happened.
    type Thing struct {
    	Type    string      \`json:"type"\`
    	ID      string      \`json:"_id"\`                // Id.
    	Amount  *float64    \`json:"amount,omitempty"\`
    	State   *string     \`json:"state,omitempty"\`
    	Items   []ThingItem \`json:"items,omitempty"\`
    	Class   *bool       \`json:"class,omitempty"\`
    	OddName *int64      \`json:"odd-name,omitempty"\`
    }

    type ThingItem struct {
    	Value json.RawMessage \`json:"value,omitempty"\`
    }
    "
  `);
});

test('Rust of a small schema', () => {
  expect(LANGUAGES.Rust('Thing', SMALL)).toMatchInlineSnapshot(`
    "use serde::Deserialize; // with the feature "derive"
    use serde_json::Value;

    /// A thing happened.
    #[derive(Debug, Clone, Deserialize)]
    pub struct Thing {
        pub r#type: String,
        /// Id.
        #[serde(rename = "_id")]
        pub id: String,
        pub amount: Option<f64>,
        pub state: Option<String>,
        pub items: Option<Vec<ThingItem>>,
        pub class: Option<bool>,
        #[serde(rename = "odd-name")]
        pub odd_name: Option<i64>,
    }

    #[derive(Debug, Clone, Deserialize)]
    pub struct ThingItem {
        pub value: Option<Value>,
    }
    "
  `);
});

test('fields are rows in order, nested below theirs', () => {
  expect(fieldRows(SMALL).map(({ path, type, required }) => `${path} ${type}${required ? ' required' : ''}`)).toEqual([
    'type string required',
    '_id string required',
    'amount number or null',
    'state string',
    'items array of object',
    'items[].value anything',
    'class boolean',
    'odd-name integer',
  ]);
});
