/** Packages that one part of the program alone may know, so that another can take their place without a search. */
const OWNED_PACKAGES = [
  { packages: ['yargs', 'ora'], owner: '^src/cli/' },
  { packages: ['undici'], owner: '^src/stores/registry/' },
  { packages: ['tar-stream', 'zstd-napi'], owner: '^src/(bundle|release)/' },
  { packages: ['yaml'], owner: '^src/(mirrors|release)/' },
  { packages: ['smol-toml'], owner: '^src/mirrors/' },
  { packages: ['openpgp'], owner: '^src/trust/' },
];

/** Node's modules that compute and touch nothing outside the process. */
const PURE_BUILTINS = ['assert', 'buffer', 'crypto', 'events', 'path', 'stream', 'string_decoder', 'timers/promises', 'url', 'util'];

/** Between workflows and core; none of them knows another. */
const MIDDLE = '(?:bundle|credentials|mirrors|release|stores|trust)';

const forbidden = (name, comment, from, to) => ({ name, comment, severity: 'error', from: { path: from }, to });

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    forbidden('no-cycles', 'What is in a cycle can only be understood all at once.', '.', { circular: true }),
    forbidden('no-unresolved', 'An import that leads nowhere would slip past every other rule.', '.', { couldNotResolve: true }),
    forbidden('src-is-the-program', 'Tests and scripts know the program, not the other way about.', '^src/', {
      path: '^(test|scripts|out|dist)/',
    }),
    forbidden('bin-starts-cli', 'bin.ts hands the real world to the command line, and does nothing else.', '^src/bin\\.ts$', {
      path: '^src/',
      pathNot: '^src/cli/',
    }),
    forbidden('nobody-imports-bin', 'Importing it would run the program.', '.', { path: '^src/bin\\.ts$' }),
    forbidden('below-cli', 'Commands are the top layer.', '^src/(?!bin\\.ts$|cli/)', { path: '^src/cli/' }),
    forbidden('below-workflows', 'What workflows are made of does not know them.', `^src/(core|files|${MIDDLE})/`, {
      path: '^src/workflows/',
    }),
    forbidden('siblings-are-strangers', 'Workflows join the middle row; its members do not know each other.', `^src/(${MIDDLE})/`, {
      path: `^src/${MIDDLE}/`,
      pathNot: '^src/$1/',
    }),
    forbidden('files-know-core-alone', 'Whoever touches a disk may use them.', '^src/files/', {
      path: '^src/',
      pathNot: '^src/(files|core)/',
    }),
    forbidden('core-is-the-bottom', 'core knows nothing of the program but itself.', '^src/core/', {
      path: '^src/',
      pathNot: '^src/core/',
    }),
    forbidden('core-has-no-packages', 'core needs nothing that is installed.', '^src/core/', { path: '(^|/)node_modules/' }),
    forbidden('core-has-no-effects', 'core reads no file, opens no connection, starts nothing.', '^src/core/', {
      dependencyTypes: ['core'],
      pathNot: `^(node:)?(${PURE_BUILTINS.join('|')})$`,
    }),
    ...OWNED_PACKAGES.map(({ packages, owner }) => ({
      name: `${packages[0]}-has-an-owner`,
      comment: `Only ${owner} may import ${packages.join(' and ')}.`,
      severity: 'error',
      from: { path: '^src/', pathNot: owner },
      to: { path: `(^|/)node_modules/(@types/)?(${packages.join('|')})/` },
    })),
    {
      name: 'program-ships-its-packages',
      comment: 'What the program imports has to be installed with it.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|out|coverage|demo)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
