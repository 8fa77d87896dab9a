/** Packages that one room alone may know, so that another can take their place without a search. */
const OWNED_PACKAGES = [
  { packages: ['yargs', 'ora', '@dagrejs/dagre'], owner: '^src/cli/' },
  { packages: ['undici'], owner: '^src/stores/registry/' },
  {
    packages: ['tar-stream', 'zstd-napi'],
    owner: '^src/(bundle/format|kinds/chart/files|kinds/release/payload|updates/graph-data)/',
  },
  {
    packages: ['yaml'],
    owner: '^src/(kinds|catalogs|image-sets|yaml)/',
  },
  { packages: ['@kubernetes/client-node'], owner: '^src/cluster/' },
  { packages: ['jsonpath-plus'], owner: '^src/kinds/chart/' },
  { packages: ['re2js'], owner: '^src/image-sets/' },
  { packages: ['smol-toml'], owner: '^src/mirrors/' },
  { packages: ['openpgp'], owner: '^src/trust/' },
  { packages: ['uqr', 'zxing-wasm'], owner: '^src/receipts/paper/' },
  { packages: ['yazl'], owner: '^src/extracting/' },
];

/** Node's modules that compute and touch nothing outside the process. */
const PURE_BUILTINS = [
  'assert',
  'buffer',
  'crypto',
  'events',
  'path',
  'stream',
  'string_decoder',
  'timers/promises',
  'url',
  'util',
];

/**
 * The floors of the house, from the top down, with the reason why each does not know those above
 * it. A room imports from floors below its own, and from no other room on its own floor.
 */
export const FLOORS = [
  { rooms: ['cli'], reason: 'Only the command line reads arguments, and only it draws.' },
  {
    rooms: ['workflows'],
    reason:
      'A workflow is told what to do in plain values, so tests call it without a command line.',
  },
  {
    rooms: ['opening', 'packing', 'delivering', 'extracting', 'pruning'],
    reason:
      'They are the steps of the workflows: a step that knew its command would serve that one alone.',
  },
  {
    rooms: ['history'],
    reason: 'It keeps listings and receipts for every step, and knows none of them.',
  },
  {
    rooms: ['receipts'],
    reason: 'It says what a receipt is and who has signed it, wherever it is kept.',
  },
  {
    rooms: ['network'],
    reason: 'Steps are handed the registries of a run; it knows none of the steps.',
  },
  {
    rooms: ['kinds'],
    reason: 'A kind says what a part consists of, wherever the part is read from or written to.',
  },
  {
    rooms: ['building'],
    reason: 'It makes images out of files, for every kind that needs one.',
  },
  {
    rooms: ['image-sets'],
    reason: 'It reads what somebody asks for, and knows nothing of how that is found or carried.',
  },
  {
    rooms: [
      'bundle',
      'stores',
      'trust',
      'credentials',
      'mirrors',
      'updates',
      'catalogs',
      'cluster',
    ],
    reason:
      'Each knows one outside format or protocol, and no kind: a new kind changes none of them.',
  },
  {
    rooms: ['transfer'],
    reason: 'It moves images and bytes between stores, whatever stores they are.',
  },
  {
    rooms: ['yaml'],
    reason: 'It reads YAML within limits, whoever has written it and whatever it is about.',
  },
  {
    rooms: ['files'],
    reason: 'What every room does with files, it does here; files have no digests to check.',
  },
  {
    rooms: ['programs'],
    reason: 'It runs a program of somebody else to its end, whatever it is asked for.',
  },
  { rooms: ['core'], reason: 'Words that every room shares: they depend on nothing.' },
];

const forbidden = (name, comment, from, to) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to,
});

const oneOf = (rooms) => `(?:${rooms.join('|')})`;

const packageFolder = (packages) => `(^|/)node_modules/(@types/)?(${packages.join('|')})/`;

const floorRules = FLOORS.flatMap(({ rooms, reason }, index) => {
  const above = FLOORS.slice(0, index).flatMap((floor) => floor.rooms);
  const upwards = forbidden(
    `${rooms.join('-')}-does-not-look-up`,
    reason,
    `^src/${oneOf(rooms)}/`,
    {
      path: `^src/${oneOf(above)}/`,
    },
  );
  const sideways = forbidden(
    `${rooms.join('-')}-are-strangers`,
    'Rooms on one floor are joined by the floor above.',
    `^src/(${oneOf(rooms)})/`,
    {
      path: `^src/${oneOf(rooms)}/`,
      pathNot: '^src/$1/',
    },
  );
  return [...(above.length > 0 ? [upwards] : []), ...(rooms.length > 1 ? [sideways] : [])];
});

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    forbidden('no-cycles', 'What is in a cycle can only be understood all at once.', '.', {
      circular: true,
    }),
    forbidden(
      'no-unresolved',
      'An import that leads nowhere would slip past every other rule.',
      '.',
      { couldNotResolve: true },
    ),
    forbidden(
      'src-is-the-program',
      'Tests and scripts know the program, not the other way about.',
      '^src/',
      {
        path: '^(test|scripts|out|dist)/',
      },
    ),
    forbidden(
      'bin-starts-cli',
      'bin.ts hands the real world to the command line, and does nothing else.',
      '^src/bin\\.ts$',
      {
        path: '^src/',
        pathNot: '^src/cli/',
      },
    ),
    forbidden('nobody-imports-bin', 'Importing it would run the program.', '.', {
      path: '^src/bin\\.ts$',
    }),
    ...floorRules,
    forbidden(
      'commands-are-strangers',
      'What two commands share is a step of both.',
      '^src/workflows/([^/]+)$',
      {
        path: '^src/workflows/',
        pathNot: '^src/workflows/($1|context\\.ts)',
      },
    ),
    forbidden(
      'reading-knows-no-writing',
      'A reader that shared code with the writer would share its mistakes; both follow the format.',
      '^src/bundle/reading/',
      { path: '^src/bundle/writing/' },
    ),
    forbidden(
      'writing-knows-no-reading',
      'The same, the other way about.',
      '^src/bundle/writing/',
      {
        path: '^src/bundle/reading/',
      },
    ),
    forbidden(
      'format-knows-neither',
      'The format is a computation: no file, no pipe, no store.',
      '^src/bundle/format/',
      {
        path: '^src/bundle/(reading|writing)/',
      },
    ),
    forbidden('core-has-no-packages', 'core needs nothing that is installed.', '^src/core/', {
      path: '(^|/)node_modules/',
    }),
    forbidden(
      'core-has-no-effects',
      'core reads no file, opens no connection, starts nothing.',
      '^src/core/',
      {
        dependencyTypes: ['core'],
        pathNot: `^(node:)?(${PURE_BUILTINS.join('|')})$`,
      },
    ),
    ...OWNED_PACKAGES.map(({ packages, owner }) => ({
      name: `${packages[0]}-has-an-owner`,
      comment: `Only ${owner} may import ${packages.join(' and ')}.`,
      severity: 'error',
      from: { path: '^src/', pathNot: owner },
      to: { path: packageFolder(packages) },
    })),
    {
      name: 'program-names-its-packages',
      comment: 'What the program imports becomes a part of it, or is installed beside it.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
        pathNot: packageFolder(OWNED_PACKAGES.flatMap(({ packages }) => packages)),
      },
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
