import { formatRepository, isLoopback } from '../../core/reference.ts';
import { few, pathWord, shellWord } from '../../core/text.ts';
import type { Destinations } from '../../kinds/destinations.ts';
import type { DeliveredPaths, PartResources } from '../../kinds/kind.ts';
import type { ResourceFile, ShownStep } from '../../kinds/resource-file.ts';
import { SOURCE_POLICY_SINCE } from './install-config.ts';
import { proseWrapped } from './prose.ts';
import { withOcOptions } from '../applying/oc-options.ts';
import type { SourcePolicy } from './request.ts';

const RULE = '='.repeat(72);
/** The first line of every such text. */
export const BEGINNING = 'The pull secret of the clusters must be able to read ';

/** What the registry holds that is newer than what has arrived. */
export interface NewerNames {
  readonly kind: string;
  readonly names: readonly string[];
}

/** What is done once on a cluster for all parts: a heading, the commands, and what to know. */
export interface Step {
  readonly title: string;
  /** In the order in which they are typed. */
  readonly commands: readonly string[];
  readonly after: readonly string[];
  /** The same for a report, which has no place for all that has to be known. */
  readonly shown: readonly ShownStep[];
}

/** A file of objects, and its path as the reader would type it. */
type TypedFile = ResourceFile & { readonly typed: string };

/**
 * The steps that prepare a cluster, from what the files do to it: first what lets it check releases,
 * so that it is the cluster that refuses one, and then what its nodes notice.
 * @param versions minor versions of OpenShift that have arrived.
 */
export function stepsFor(
  files: readonly TypedFile[],
  known: { readonly versions: readonly number[]; readonly sourcePolicy: SourcePolicy | undefined },
): readonly Step[] {
  const taken = files.filter(({ audience }) => audience === 'every-cluster');
  const of = (stage: string): readonly TypedFile[] =>
    taken.filter(({ effect, objects }) => effect.stage === stage && objects.length > 0);
  const old = files.filter(({ audience }) => audience === 'before-4.13');
  return [
    ...signatureSteps(of('signatures')),
    ...trustSteps(of('trust')),
    ...mirrorSteps(of('mirrors'), old, known),
  ];
}

function signatureSteps(files: readonly TypedFile[]): readonly Step[] {
  if (files.length === 0) return [];
  return [
    {
      title: 'Let the cluster check the release signatures. It changes no node:',
      commands: files.map(({ typed }) => applying(typed)),
      after: [],
      shown: [{ commands: files.map(({ typed }) => applying(typed)), files: namesOf(files) }],
    },
  ];
}

function namesOf(files: readonly TypedFile[]): readonly string[] {
  return files.map(({ name }) => name);
}

function trustSteps([configMap, patch]: readonly TypedFile[]): readonly Step[] {
  if (configMap === undefined || patch === undefined) return [];
  return [
    {
      title: 'Let the cluster trust the certificate of the registry. This drains no node:',
      commands: [
        "oc get image.config cluster -o jsonpath='{.spec.additionalTrustedCA.name}'",
        applying(configMap.typed),
        'oc patch image.config.openshift.io cluster --type=merge ' +
          `--patch-file=${shellWord(patch.typed)}`,
      ],
      after: [
        'A cluster takes one such config map. If the first command prints a name, yours has one',
        'already: leave the other two out, and add the keys of the file to that config map. It is in',
        'the namespace openshift-config.',
      ],
      shown: [
        {
          condition:
            'To let the cluster trust the certificate of the registry depends on what it trusts ' +
            'already: do that step as next-steps.txt says.',
          commands: [],
          files: namesOf([configMap, patch]),
        },
      ],
    },
  ];
}

function mirrorSteps(
  files: readonly TypedFile[],
  old: readonly TypedFile[],
  {
    versions,
    sourcePolicy,
  }: { readonly versions: readonly number[]; readonly sourcePolicy: SourcePolicy | undefined },
): readonly Step[] {
  if (files.length === 0) return [];
  const drains = files.some(({ effect }) => effect.whenNew === 'drain');
  return [
    {
      title: 'Tell the cluster where its images are now. Look first at what would change:',
      commands: files.flatMap(({ typed }) => [`oc diff -f ${pathWord(typed)}`, applying(typed)]),
      after: [
        'The Machine Config Operator writes registries.conf on every node. A new',
        'ImageDigestMirrorSet drains no node. A mirror set that is changed or removed drains one node',
        drains ? 'after the other, and so does every ImageTagMirrorSet.' : 'after the other.',
        'Wait until all pools are up to date:',
        '  oc get mcp',
        ...(sourcePolicy === undefined ? [] : policyLines(sourcePolicy, versions)),
        ...oldClusters(old, versions),
      ],
      shown: [
        {
          condition: 'Look at what would change for the nodes:',
          commands: files.map(({ typed }) => `oc diff -f ${pathWord(typed)}`),
          files: namesOf(files),
        },
        {
          condition:
            'If that is right (nodes are drained one after the other when a mirror set is changed' +
            (drains ? ', and for every ImageTagMirrorSet' : '') +
            '):',
          commands: files.map(({ typed }) => applying(typed)),
          files: namesOf(files),
        },
      ],
    },
  ];
}

function policyLines(policy: SourcePolicy, versions: readonly number[]): readonly string[] {
  const isKnown = versions.every((minor) => minor >= SOURCE_POLICY_SINCE);
  return [
    ...(policy === 'NeverContactSource'
      ? [
          'With NeverContactSource a node pulls nothing of these sources that the registry does not hold.',
        ]
      : []),
    ...(isKnown
      ? []
      : [
          `The installers of versions before 4.${SOURCE_POLICY_SINCE} do not take the policy for the source.`,
          'A cluster that one of them has installed gets it by this step.',
        ]),
  ];
}

/** A cluster updates from one minor version before, at least. */
function oldClusters(old: readonly TypedFile[], versions: readonly number[]): readonly string[] {
  const lowest = Math.min(...versions);
  const [file] = old;
  if (file === undefined || lowest > 15) return [];
  return [
    ...(lowest > 13
      ? []
      : [
          'A cluster of version 4.12 has no ImageDigestMirrorSet. Use this file there instead:',
          `  ${applying(file.typed)}`,
        ]),
    'A cluster that has an ImageContentSourcePolicy takes an ImageDigestMirrorSet beside it only',
    'from 4.13.27 and 4.14.3 on. This tells whether yours has one:',
    '  oc get imagecontentsourcepolicy',
    'If it has, and its version is a lower one, use this file instead:',
    `  ${applying(file.typed)}`,
  ];
}

function applying(path: string): string {
  return `oc apply -f ${pathWord(path)}`;
}

/** What the text says beside the sections of parts. */
export interface StepsText {
  /** Where the text lies: all paths start there. */
  readonly folder: string;
  readonly destinations: Destinations;
  /** Those that clusters have to be able to read. */
  readonly repositories: readonly string[];
  /** Whether the steps let a cluster trust the certificate of the registry. */
  readonly trustsCertificate: boolean;
  /** `undefined` where the registry was not asked. */
  readonly newer: readonly NewerNames[] | undefined;
  readonly steps: readonly Step[];
  /** Sections about what was wanted besides. */
  readonly extras: readonly (readonly string[])[];
  readonly paths: DeliveredPaths;
  readonly ocOptions?: readonly string[] | undefined;
}

/**
 * The exact commands for what has arrived in a local registry: first what is done once, then a
 * section for each part. What the registry holds that is newer comes before all, as a warning: a
 * cluster may have it already.
 */
export function nextSteps(parts: readonly PartResources[], given: StepsText): string {
  const { folder, destinations, repositories, newer, steps, extras, paths, ocOptions = [] } = given;
  const { target } = destinations;
  const place =
    target.namespace === undefined ? target.registry : `${target.registry}/${target.namespace}`;
  const text = [
    `${BEGINNING}these repositories, and must not be able to`,
    'write to them:',
    ...repositories.map((repository) => `  ${repository}`),
    ...(repositories.every((repository) => isChecked(repository, destinations))
      ? ['This command tells whether that is so:']
      : [
          'This command tries the repositories of releases and of the update graph only. What it says',
          'is right for the others, too, if the account has the same rights in all of them:',
        ]),
    `  bundle check-registry ${shellWord(place)} --cluster-authfile PULL_SECRET.json`,
    '',
    ...(given.trustsCertificate ? [] : CERTIFICATE),
    'All paths below start in the folder of this file:',
    `  cd ${pathWord(folder)}`,
    '',
    ...(isLoopback(target.registry) ? loopbackWarning(target.registry) : []),
    ...(newer?.flatMap(warning) ?? NOT_ASKED),
    ...(steps.length > 0 ? [RULE, 'ON EACH CLUSTER, BEFORE ANYTHING ELSE', ''] : []),
    ...steps.flatMap(numbered),
    ...extras.flatMap((lines) => (lines.length === 0 ? [] : [RULE, ...lines])),
    ...parts
      .map((part) => part.section(paths))
      .flatMap((lines) => (lines.length === 0 ? [] : [RULE, ...lines])),
  ];
  const typed = proseWrapped(text).map((line) => forCluster(line, ocOptions));
  return `${typed.join('\n').trimEnd()}\n`;
}

/** Whether `check-registry` looks at it. */
function isChecked(repository: string, { entry, content, graph }: Destinations): boolean {
  return [entry, content, graph].some((name) => formatRepository(name) === repository);
}

/** A line that is a command asks the cluster that was chosen; one about a release asks none. */
function forCluster(line: string, options: readonly string[]): string {
  const [, indent, command] = /^( +)(oc (?!adm release ).+)$/.exec(line) ?? [];
  return command === undefined ? line : `${indent}${withOcOptions(command, options)}`;
}

function numbered({ title, commands, after }: Step, index: number): readonly string[] {
  return [
    `${index + 1}. ${title}`,
    ...commands.map((command) => `     ${command}`),
    ...after.map((line) => `   ${line}`),
    '',
  ];
}

function loopbackWarning(registry: string): readonly string[] {
  return [
    `WARNING: ${registry} is an address of one machine. No cluster reaches the registry by it, so`,
    'these files are of no use to one. Give --to the name that nodes reach the registry by. The',
    'command "bundle resources" writes the files for that name, and pushes nothing again.',
    '',
  ];
}

const CERTIFICATE: readonly string[] = [
  'If the certificate of the registry is not from a public CA, every pull ends with x509 until the',
  'clusters trust that CA. The step for it is missing here: write these files again with',
  '--ca-file CA.pem.',
  '',
];

const NOT_ASKED: readonly string[] = [
  'These files assume that "bundle unpack" has already pushed what they name. The registry was not',
  'contacted, so a newer release there was not noticed. Ask each cluster first which version it',
  'runs:',
  '  oc get clusterversion',
  'Do not use the commands below for a cluster that runs a newer version already: OpenShift does not',
  'support going back to an older one.',
  '',
];

function warning({ kind, names }: NewerNames): readonly string[] {
  return [
    `WARNING: the registry already holds a newer ${kind}: ${few(names.toReversed()).join(', ')}.`,
    'Do not use the commands below for a cluster that runs a newer version already:',
    'OpenShift does not support going back to an older one. "oc get clusterversion" tells which',
    'version a cluster runs.',
    '',
  ];
}
