// The editor, when it has come; until then the same text in the same room.

import { lazy, Suspense } from 'react';

const Editor = lazy(() => import('./editor'));

interface EditorProps {
  label: string;
  value: string;
  onChange: (text: string) => void;
}

export function JsonEditor(props: EditorProps) {
  return (
    <div className="min-h-72">
      <Suspense
        fallback={
          <textarea aria-label={props.label} className="input mono min-h-72" spellCheck={false} value={props.value} onChange={(event) => props.onChange(event.target.value)} />
        }
      >
        <Editor {...props} />
      </Suspense>
    </div>
  );
}
