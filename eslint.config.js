import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', 'out/', 'demo/'] },
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  { files: ['**/*.js'], languageOptions: { globals: { Buffer: 'readonly', fetch: 'readonly' } } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // In-memory stores and test doubles answer at once what others answer later.
      '@typescript-eslint/require-await': 'off',
      // More than four in a row cannot be told apart where they are given.
      'max-params': ['error', 4],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `split('/')[0]!` and maps filled a line above: the compiler cannot see what the reader can.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      'no-console': 'error',
    },
  },
  {
    // Whoever calls core hands it the outside world.
    files: ['src/core/**/*.ts'],
    rules: { 'no-restricted-globals': ['error', 'process', 'fetch', 'console'] },
  },
);
