import hooks from 'eslint-plugin-react-hooks';
import typescript from 'typescript-eslint';

export default typescript.config(
  { ignores: ['dist', 'src/api/schema.d.ts', 'test-results', 'playwright-report'] },
  ...typescript.configs.recommended,
  hooks.configs.flat.recommended,
  // Playwright's `use` is no hook.
  { files: ['e2e/**'], rules: { 'react-hooks/rules-of-hooks': 'off' } },
  {
    rules: {
      'max-lines': ['error', 400],
      'no-restricted-properties': ['error', { property: 'dangerouslySetInnerHTML', message: 'Text only.' }],
      'no-restricted-syntax': [
        'error',
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: 'What comes from outside is text, never HTML.' },
        { selector: "JSXOpeningElement[name.name='style']", message: 'The content policy allows no inline style elements.' },
      ],
      'react-hooks/incompatible-library': 'off',
    },
  },
);
