import { goOf } from './go';
import type { Schema } from './model';
import { pythonOf } from './python';
import { rustOf } from './rust';
import { typescriptOf } from './typescript';

export const LANGUAGES = {
  TypeScript: typescriptOf,
  Python: pythonOf,
  Go: goOf,
  Rust: rustOf,
} satisfies Record<string, (name: string, schema: Schema) => string>;

export type Language = keyof typeof LANGUAGES;
