import { describe, expect, it } from 'vitest';

import { readChart } from '../../../../src/kinds/chart/files/chart.ts';
import { readChartArchive } from '../../../../src/kinds/chart/files/chart-files.ts';
import {
  type ChartImages,
  imagesOfChart,
} from '../../../../src/kinds/chart/images/chart-images.ts';
import { CHART_YAML, chartArchive, type ChartText } from '../../../support/chart.ts';

const D = `sha256:${'a'.repeat(64)}`;

/** The images of a chart whose templates render to a text. */
async function imagesOf(
  rendered: string | undefined,
  files: ChartText = {},
  imagePaths: readonly string[] = [],
): Promise<ChartImages> {
  const archive = await chartArchive({ 'Chart.yaml': CHART_YAML, ...files });
  const chart = readChart(await readChartArchive(archive, 'web.tgz'), 'web.tgz');
  return imagesOfChart(chart, { rendered, imagePaths, listed: [] });
}

const names = ({ images }: ChartImages): readonly string[] =>
  images.map(({ reference }) => reference);

describe('the images of rendered manifests', () => {
  it('are those of every container of every pod, whatever it is in', async () => {
    const rendered = `---
# Source: web/templates/all.yaml
kind: Deployment
metadata: { name: d }
spec: { template: { spec: {
  initContainers: [{ image: r.io/init:1 }],
  containers: [{ image: 'r.io/main:1' }, { image: "r.io/side@${D}" }],
  ephemeralContainers: [{ image: r.io/debug:1 }],
  volumes: [{ image: { reference: r.io/volume:1 } }, { emptyDir: {} }] } } }
---
kind: CronJob
spec: { jobTemplate: { spec: { template: { spec: { containers: [{ image: r.io/cron:1 }] } } } } }
---
kind: Job
metadata: { annotations: { helm.sh/hook: pre-install } }
spec: { template: { spec: { containers: [{ image: r.io/hook:1 }] } } }
---
kind: Thanos
apiVersion: example.com/v1
spec: { store: { podTemplate: { containers: [{ name: a, image: r.io/custom:1 }] } } }
---
kind: List
items: [{ kind: Pod, spec: { containers: [{ image: r.io/listed:1 }] } }]
---
kind: CustomResourceDefinition
spec: { versions: [{ schema: { properties: { containers: { type: array, items: {} } } } }] }
---
# only a comment
---
kind: ConfigMap
data: { containers: "image: r.io/no:1" }
`;
    const found = await imagesOf(rendered);
    expect(names(found)).toEqual([
      'r.io/cron:1',
      'r.io/custom:1',
      'r.io/debug:1',
      'r.io/hook:1',
      'r.io/init:1',
      'r.io/listed:1',
      'r.io/main:1',
      `r.io/side@${D}`,
      'r.io/volume:1',
    ]);
    expect(found.images.find(({ reference }) => reference === 'r.io/main:1')).toEqual({
      ...{
        reference: 'r.io/main:1',
        how: 'manifest',
        where: 'web/templates/all.yaml (Deployment d)',
      },
    });
  });

  it('are those that streams and builds of OpenShift take from a registry', async () => {
    const rendered = `
kind: ImageStream
apiVersion: image.openshift.io/v1
metadata: { name: s }
spec:
  tags:
    - { name: latest, from: { kind: DockerImage, name: r.io/stream:1 } }
    - { name: other, from: { kind: ImageStreamTag, name: latest } }
---
kind: BuildConfig
spec:
  strategy: { dockerStrategy: { from: { kind: DockerImage, name: r.io/base:1 } } }
  output: { to: { kind: DockerImage, name: r.io/built:1 } }
---
kind: Other
spec: { from: { kind: DockerImage } }
`;
    const found = await imagesOf(rendered);
    expect(names(found)).toEqual(['r.io/base:1', 'r.io/stream:1']);
    expect(found.images[1]).toMatchObject({ how: 'manifest', where: 'ImageStream s' });
    for (const name of ['', ', name: ""', ', name: 5']) {
      const bad = `kind: ImageStream\nspec: { tags: [{ name: a, from: { kind: DockerImage${name} } }] }`;
      await expect(imagesOf(bad)).rejects.toMatchObject({
        code: 'UNSUPPORTED_CONTENT',
        message: 'tag a of ImageStream names no image',
      });
    }
  });

  it('are refused where they are no YAML, or a document is no manifest', async () => {
    await expect(imagesOf('a: [')).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
    const good = 'kind: Pod\nspec: { containers: [{ image: r.io/a:1 }] }\n';
    for (const other of ['words', '5', 'true', '[]', '- kind: Pod', 'WARNING: x', 'kind: ""']) {
      await expect(
        imagesOf(`${good}---\n# Source: web/templates/b.yaml\n${other}\n`),
      ).rejects.toMatchObject({
        code: 'UNSUPPORTED_CONTENT',
        message:
          'document 2 of what web renders to, of web/templates/b.yaml, is no manifest of Kubernetes',
      });
    }
    expect(names(await imagesOf(`${good}---\n{}\n---\nnull\n---\n`))).toEqual(['r.io/a:1']);
  });

  it('are refused where a container of a pod names none, whatever kind of Kubernetes it is in', async () => {
    const template = (spec: string): string => `spec: { template: { spec: ${spec} } }`;
    const kinds: Readonly<Record<string, (spec: string) => string>> = {
      'kind: Pod\napiVersion: v1': (spec) => `spec: ${spec}`,
      'kind: PodTemplate': (spec) => `template: { spec: ${spec} }`,
      'kind: ReplicationController': template,
      'kind: Deployment\napiVersion: apps/v1': template,
      'kind: StatefulSet\napiVersion: apps/v1beta2': template,
      'kind: DaemonSet\napiVersion: extensions/v1beta1': template,
      'kind: ReplicaSet': template,
      'kind: Job\napiVersion: batch/v1': template,
      'kind: CronJob': (spec) => `spec: { jobTemplate: { ${template(spec)} } }`,
    };
    const bad = [
      ['{ containers: [{ name: a }] }', 'container a'],
      ['{ containers: [{ name: a, image: "" }] }', 'container a'],
      ['{ containers: [{ name: a, image: " " }] }', 'container a'],
      ['{ containers: [{ name: a, image: null }] }', 'container a'],
      ['{ containers: [{ name: a, image: 5 }] }', 'container a'],
      ['{ containers: [{ name: a, image: [r.io/b:1] }] }', 'container a'],
      ['{ containers: [{ image: r.io/b:1 }, r.io/c:1] }', 'entry 2 of containers'],
      ['{ initContainers: [{ name: i }], containers: [{ image: r.io/b:1 }] }', 'container i'],
      ['{ ephemeralContainers: [{ name: e }] }', 'container e'],
      ['{ volumes: [{ name: v, image: {} }] }', 'volume 1'],
      ['{ volumes: [{ name: v, image: 5 }] }', 'volume 1'],
    ] as const;
    for (const [head, within] of Object.entries(kinds)) {
      for (const [spec, what] of bad) {
        const object = `${head}\nmetadata: { name: w }\n${within(spec)}\n`;
        await expect(
          imagesOf(`---\n# Source: web/templates/a.yaml\n${object}`),
          object,
        ).rejects.toMatchObject({
          code: 'UNSUPPORTED_CONTENT',
          message: expect.stringMatching(
            new RegExp(`^${what} of web/templates/a.yaml \\(\\w+ w\\) names no image$`),
          ) as string,
        });
      }
    }
    const listed =
      'kind: List\nitems: [{ kind: List, items: [{ kind: Pod, spec: { containers: [{}] } }] }]';
    await expect(imagesOf(listed)).rejects.toMatchObject({ code: 'UNSUPPORTED_CONTENT' });
    const noList = 'kind: Pod\nspec: { containers: { image: r.io/b:1 } }';
    await expect(imagesOf(noList)).rejects.toMatchObject({
      message: 'containers of Pod is no list',
    });
  });

  it('may be absent where something only looks like a pod, or OpenShift fills it in', async () => {
    const rendered = `kind: Thanos
apiVersion: example.com/v1
spec: { containers: [{ name: a }, { name: b, image: "" }, { image: { repository: r.io/c } }] }
---
kind: Job
apiVersion: batch.volcano.sh/v1alpha1
spec: { template: { spec: { containers: [{ name: a }] } } }
---
kind: Patches
apiVersion: example.com/v1
spec: { patch: { kind: Deployment, spec: { template: { spec: { containers: [{ name: a }] } } } } }
---
kind: DeploymentConfig
apiVersion: apps.openshift.io/v1
spec: { template: { spec: { containers: [{ name: a, image: " " }] } } }
---
kind: Deployment
metadata: { annotations: { image.openshift.io/triggers: "[]" } }
spec: { template: { spec: { containers: [{ image: " " }, { name: b }, { image: r.io/b:1 }] } } }
---
kind: Pod
spec: { volumes: [{ emptyDir: {} }, { image: null }], containers: null }
`;
    expect(names(await imagesOf(rendered))).toEqual(['r.io/b:1']);
  });
});

describe('the images that a publisher lists', () => {
  it('are taken from annotations and lock files, and need no helm', async () => {
    const found = await imagesOf(undefined, {
      'Chart.yaml': `${CHART_YAML}annotations:
  artifacthub.io/images: |
    - name: a
      image: r.io/a:1
  helm.sh/images: "[r.io/b:1]"
`,
      'Images.lock': `images: [{ name: c, image: 'r.io/c:1', digests: [] }, { image: 'r.io/a:1' }]`,
    });
    expect(found.images.map(({ reference, how, where }) => [reference, how, where])).toEqual([
      ['r.io/a:1', 'annotation', 'artifacthub.io/images'],
      ['r.io/b:1', 'annotation', 'helm.sh/images'],
      ['r.io/c:1', 'lock file', 'Images.lock'],
    ]);
  });

  it('are refused where the list cannot be read', async () => {
    const files = { 'images-lock.yaml': 'images: [' };
    await expect(imagesOf('', files)).rejects.toMatchObject({
      message: expect.stringContaining('images-lock.yaml of the chart web') as string,
    });
  });

  it('are refused where an entry names none, beside good ones too', async () => {
    for (const entry of [
      'Image: r.io/b:1',
      'imag: r.io/b:1',
      'repository: r.io/b\n  tag: 1',
      'image: 5',
      'image:',
      'image: " "',
      'image: [r.io/b:1]',
      '7',
      '[r.io/b:1]',
      '',
      '""',
    ]) {
      const list = `- image: r.io/a:1\n- ${entry}\n`;
      const annotation = `annotations:\n  images: ${JSON.stringify(list)}\n`;
      await expect(imagesOf('', { 'Chart.yaml': CHART_YAML + annotation })).rejects.toMatchObject({
        code: 'UNSUPPORTED_CONTENT',
        message: 'entry 2 of the annotation images of the chart web names no image',
      });
      await expect(imagesOf('', { 'Images.lock': `images:\n${list}` })).rejects.toMatchObject({
        code: 'UNSUPPORTED_CONTENT',
        message: 'entry 2 of Images.lock of the chart web names no image',
      });
    }
  });

  it('are refused where there is something that is no list', async () => {
    for (const text of ['just words', '5', '', 'images:', 'Images: [r.io/a:1]', 'images: {a: b}']) {
      const annotation = `annotations: { helm.sh/images: ${JSON.stringify(text)} }\n`;
      for (const files of [{ 'Chart.yaml': CHART_YAML + annotation }, { 'Images.lock': text }]) {
        await expect(imagesOf('', files)).rejects.toMatchObject({
          code: 'UNSUPPORTED_CONTENT',
          message: expect.stringMatching(/ of the chart web is no list of images$/) as string,
        });
      }
    }
    const none = await imagesOf('', { 'Images.lock': 'images: []' });
    expect(names(none)).toEqual([]);
  });

  it('are needed where there is no helm: nothing is carried by a guess', async () => {
    await expect(imagesOf(undefined)).rejects.toMatchObject({
      ...{ code: 'CONFIGURATION', message: expect.stringContaining('there is no helm') as string },
      hint: expect.stringContaining('--helm-images FILE') as string,
    });
  });
});

describe('paths of images', () => {
  const rendered = `kind: Thanos
spec:
  template:
    spec:
      containers:
        - env:
            - { name: A, value: 'r.io/env:1' }
            - { name: B, value: 'localhost:8080' }
            - { name: C, value: 'some words: here' }
            - { name: D, value: 'nginx:1.16.0' }
            - { name: E, value: 'r.io/bare' }
            - { name: F, value: 7 }
`;

  it('lead to images in manifests, and to nothing that is none', async () => {
    for (const path of [
      '{.spec.template.spec.containers[*].env[*].value}',
      '.spec.template.spec.containers[*].env[*].value',
      '{$.spec..env[*].value}',
    ])
      expect(names(await imagesOf(rendered, {}, [path]))).toEqual(['nginx:1.16.0', 'r.io/env:1']);
    const only = `{.spec.template.spec.containers[*].env[?(@.name=='A')].value}`;
    expect(names(await imagesOf(rendered, {}, [only]))).toEqual(['r.io/env:1']);
  });

  it('are refused where they lead to no image in the whole chart', async () => {
    const good = '{.spec.template.spec.containers[*].env[*].value}';
    for (const [path, got] of [
      ['{.spec.template.spec.containers[*].imag}', 'nothing is there'],
      ['{.items[*].spec}', 'nothing is there'],
      ['{.kind}', '"Thanos"'],
      ['{.spec.template.spec.containers[*].env[*].name}', '"A", "B", "C" and 3 more'],
    ] as const)
      await expect(imagesOf(rendered, {}, [good, path])).rejects.toMatchObject({
        ...{ code: 'NOT_FOUND', got },
        message: `the chart web has no image at ${path}, which imagePaths names`,
      });
    await expect(imagesOf('', {}, [good])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are no code', async () => {
    const path = `{.spec[?(process.exit(7))]}`;
    await expect(imagesOf(rendered, {}, [path])).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('need helm', async () => {
    const files = { 'Images.lock': 'images: [r.io/a:1]' };
    await expect(imagesOf(undefined, files, ['{.a}'])).rejects.toMatchObject({
      message: expect.stringContaining('has imagePaths, and there is no helm') as string,
    });
  });
});

describe('images that only default values name', () => {
  it('are reported', async () => {
    const { unused } = await imagesOf(
      'kind: Pod\nspec: { containers: [{ image: r.io/team/app:1 }] }\n',
      {
        'values.yaml': `
image: { registry: r.io, repository: team/app, tag: "" }
sidecar: { image: { repository: team/app } }
backup: { image: { registry: r.io, repository: team/backup, tag: 3 } }
metrics: { image: "r.io/metrics:2" }
resources: { name: nothing, size: 1 }
cache: { enabled: false, repository: r.io/cache, digest: ${D} }
`,
      },
    );
    expect(unused).toEqual([
      { reference: 'r.io/team/backup:3', key: 'backup.image' },
      { reference: `r.io/cache:4.5@${D}`, key: 'cache' },
      { reference: 'r.io/metrics:2', key: 'metrics.image' },
    ]);
  });
});
