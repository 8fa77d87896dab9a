import { counted, optionWords } from '../../core/text.ts';
import { OFFICIAL_UPDATE_SERVICE } from '../../kinds/release/official.ts';
import { excerptAround } from '../../updates/excerpt.ts';
import type { UpdatePath } from '../../updates/path.ts';
import type { PathReport, PathRisk } from '../../workflows/updates.ts';
import type { Outcome } from '../command.ts';
import { dotOf } from './drawing/dot.ts';
import type { PathDrawing } from './drawing/labels.ts';
import { mermaidOf } from './drawing/mermaid.ts';
import type { Report, Section } from './layout.ts';
import { listed, scope } from './shown.ts';

/** A way from one release to another: its steps, what is risky about them, and the next command. */
export async function pathReport(report: PathReport, format: string): Promise<Outcome> {
  const { channel, architecture, path, risks } = report;
  const document = await drawn(report, format);
  return {
    report: () => textOf(report),
    json: {
      ...(channel !== undefined && { channel }),
      ...(architecture !== undefined && { architecture }),
      ...{ path: path.versions, risks },
      controlPlaneOnly: report.controlPlaneOnly,
      alternatives: report.alternatives.map((other) => ({
        path: other.versions,
        risks: namesOf(other),
      })),
    },
    ...(document !== undefined && { document }),
  };
}

/** The library that lays a drawing out is loaded for that alone. */
async function drawn(report: PathReport, format: string): Promise<string | undefined> {
  if (format === 'text' || format === 'json') return undefined;
  const drawing = drawingOf(report);
  if (format === 'dot') return dotOf(drawing);
  if (format === 'mermaid') return mermaidOf(drawing);
  const { svgOf } = await import('./drawing/svg.ts');
  return svgOf(drawing);
}

function drawingOf({
  graph,
  path,
  controlPlaneOnly,
  channel,
  architecture,
}: PathReport): PathDrawing {
  const { versions } = path;
  return {
    title: `${versions[0]!} to ${versions.at(-1)!}${scope({ channel, architecture })}`,
    ...{ versions, controlPlaneOnly },
    excerpt: excerptAround(graph, path),
  };
}

function textOf(report: PathReport): Report {
  const { path, architecture, channel, risks, controlPlaneOnly, alternatives } = report;
  const { versions, steps } = path;
  const [from, to] = [versions[0]!, versions.at(-1)!];
  const open = risks.filter(({ accepted }) => !accepted);
  const verdict =
    steps.length === 0
      ? `The cluster runs ${to} already`
      : `${from} to ${to}${scope({ channel, architecture })}: ${counted(steps.length, 'update')}, ` +
        (open.length === 0 ? 'no risk' : counted(open.length, 'risk'));
  return [
    [{ verdict, mood: open.length === 0 ? 'good' : 'warning' }],
    steps.length === 0 ? [] : nextOf(report),
    stepsOf(report),
    ...risks.map(riskSection),
    evaluationOf(risks),
    controlPlaneOnly.length === 0
      ? []
      : [
          {
            text:
              `Only the control plane has to pass ${listed(controlPlaneOnly)}: ` +
              `pause the other machine config pools before, and resume them at ${to}.`,
          },
        ],
    alternatives.flatMap((other) => [
      { text: `Shorter, with ${counted(namesOf(other).length, 'risk')}:` },
      { text: `  ${other.versions.join(' > ')} (${listed(namesOf(other))})` },
    ]),
  ];
}

/** The same path once more, and not its versions: the graph names their digests. */
function nextOf({ path: { versions }, architecture, risks, asked }: PathReport): Section {
  const accepted = new Set(risks.flatMap((risk) => (risk.accepted ? risk.name : [])));
  const words = [
    ...['bundle', 'pack', '--from-version', versions[0]!, '--to-version', versions.at(-1)!],
    ...optionWords('channel', asked.channel === undefined ? [] : [asked.channel]),
    ...optionWords('arch', architecture === undefined ? [] : [architecture]),
    ...sourceOf(asked),
    ...optionWords('from', asked.images === undefined ? [] : [asked.images]),
    ...optionWords('accept-risk', [...accepted]),
    ...['-o', 'FOLDER'],
  ];
  return [{ text: 'Next:' }, { commands: [words.join(' ')] }];
}

function sourceOf({ file, serviceUrl }: PathReport['asked']): readonly string[] {
  if (file !== undefined) return optionWords('graph', [file]);
  return serviceUrl === OFFICIAL_UPDATE_SERVICE
    ? []
    : optionWords('graph-url', [withoutSecrets(serviceUrl)]);
}

/** Words in the place of what may be a secret: the command is for screens and logs. */
function withoutSecrets(url: string): string {
  const { username, password, protocol, host, pathname, search, hash } = new URL(url);
  if (username + password + search + hash === '') return url;
  const user = username + password === '' ? '' : 'USER:PASSWORD@';
  return `${protocol}//${user}${host}${pathname}${search === '' ? '' : '?QUERY'}`;
}

function stepsOf({ graph, path, controlPlaneOnly }: PathReport): Section {
  const rows = path.versions.map((version, index): readonly [string, string] => {
    const errata = graph.release(version)?.url ?? '';
    const own = controlPlaneOnly.includes(version) ? `control plane only  ${errata}` : errata;
    return [version, index === 0 ? 'the cluster runs it' : own];
  });
  return [{ facts: rows }];
}

function riskSection({ name, from, to, message, url, evaluable, accepted }: PathRisk): Section {
  return [
    { text: `${name}${accepted ? ' (accepted)' : ''}` },
    {
      facts: [
        ['  update', `${from} to ${to}`],
        ['  risk', message],
        ['  see', url],
        ['  concerns', evaluable ? 'every cluster' : 'some clusters: a query decides'],
      ],
    },
  ];
}

/** What a cluster without telemetry makes of risks that a query decides. */
function evaluationOf(risks: readonly PathRisk[]): Section {
  const unknown = [...new Set(risks.filter(({ evaluable }) => !evaluable).map(({ name }) => name))];
  const known = risks.some(({ evaluable }) => evaluable);
  if (unknown.length === 0 && !known) return [];
  const told =
    unknown.length === 0
      ? ''
      : `A disconnected cluster cannot find out whether ${listed(unknown)} ` +
        `${unknown.length === 1 ? 'concerns' : 'concern'} it, and says Unknown. `;
  return [
    {
      text: `${told}A cluster shows updates with risks, and takes them, only with these options:`,
    },
    {
      commands: [
        'oc adm upgrade --include-not-recommended',
        'oc adm upgrade --allow-not-recommended --to VERSION',
      ],
    },
  ];
}

function namesOf({ steps }: UpdatePath): readonly string[] {
  return [...new Set(steps.flatMap(({ risks }) => risks.map(({ name }) => name)))];
}
