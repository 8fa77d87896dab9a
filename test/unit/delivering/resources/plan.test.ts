import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { projectPath } from '../../../../scripts/lib/project-root.ts';
import { mirrorSets } from '../../../../src/delivering/resources/mirror-sets.ts';
import {
  type PlanOptions,
  planResources,
  type PlannedResources,
} from '../../../../src/delivering/resources/plan.ts';
import { prepareResources, writeResources } from '../../../../src/delivering/resources/write.ts';
import { closureOf } from '../../../../src/kinds/closure.ts';
import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';
import type { DeliveredPaths, Kind, Part } from '../../../../src/kinds/kind.ts';
import { releaseKind } from '../../../../src/kinds/release/release.ts';
import { EFFECTS, resourceFile } from '../../../../src/kinds/resource-file.ts';
import { releasePart } from '../../../support/release-part.ts';

const destinations = planDestinations({ to: parseTarget('r.example.com/ocp4') });
const { digests, policy } = mirrorSets([], destinations.target, undefined);
const IDMS = digests.name;
const ICSP = policy.name;
const RELEASES = ['4.16.20', '4.17.3'].map((version) => releasePart(version));
const WRITTEN = ['for-4.12', IDMS, 'install', 'kustomization.yaml', 'next-steps.txt'];

describe('what is written for a cluster', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-resources-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const planned = (named?: string): PlannedResources =>
    planResources(closureOf([]), [], destinations, { folder: named, newer: [], certificates: [] });
  const pathsOf = ({ files, steps }: PlannedResources): readonly string[] =>
    [...files, steps].map(({ path }) => path);

  it('lies in the current folder, with the objects in one of their own, if none is named', () => {
    expect(pathsOf(planned())).toEqual([
      ...[`cluster-resources/${IDMS}`, `cluster-resources/${ICSP}`],
      ...['cluster-resources/kustomization.yaml', 'install/image-digest-sources.yaml'],
      'next-steps.txt',
    ]);
    expect(planned().steps.text).toContain(`  cd ${resolve('')}\n`);
  });

  it.each(['/srv/x', '../x', 'x'])('is called in commands as it was typed: %s', (typed) => {
    const { firstSteps, steps } = planned(typed);
    expect(firstSteps.flatMap(({ commands }) => commands)).toEqual([
      `oc diff -f ${typed}/${IDMS}`,
      `oc apply -f ${typed}/${IDMS}`,
    ]);
    expect(steps).toMatchObject({
      path: `${typed}/next-steps.txt`,
      text: expect.stringContaining(`  cd ${resolve(typed)}\n`) as string,
    });
    expect(steps.text).toContain(`  oc apply -f ${IDMS}\n`);
  });

  it('lies within the folder that is named, and nothing beside it', async () => {
    const named = join(folder, 'mine', 'resources');
    await mkdir(join(folder, 'mine'));
    const note = join(folder, 'mine', 'next-steps.txt');
    await writeFile(note, 'a note of mine\n');
    const plan = planned(named);
    await prepareResources(plan);
    const { files } = await writeResources(plan);
    expect(files).toEqual(pathsOf(plan));
    expect(await readdir(named)).toEqual(WRITTEN);
    expect(await readdir(join(folder, 'mine'))).toEqual(['next-steps.txt', 'resources']);
    expect(await readFile(note, 'utf8')).toBe('a note of mine\n');
    await prepareResources(plan); // what it wrote itself is replaced
  });

  it.each([IDMS, 'install/image-digest-sources.yaml', 'next-steps.txt'])(
    'is refused beforehand where a folder is called %s',
    async (name) => {
      await mkdir(join(folder, name), { recursive: true });
      await expect(prepareResources(planned(folder))).rejects.toMatchObject({
        ...{ code: 'DISK', exitStatus: 26 },
        message: expect.stringContaining(join(folder, name)) as string,
      });
    },
  );

  it.each([IDMS, 'for-4.12', 'install/image-digest-sources.yaml', 'next-steps.txt', 'install'])(
    'is refused beforehand where %s is a link, and nothing lands where that leads',
    async (name) => {
      const [own, other] = [join(folder, 'own'), join(folder, 'other')];
      await mkdir(other);
      const path = join(own, name);
      await mkdir(dirname(path), { recursive: true });
      await symlink(other, path);
      await expect(prepareResources(planned(own))).rejects.toMatchObject({
        ...{ code: 'DISK', exitStatus: 26, got: 'a symbolic link' },
        message: expect.stringContaining(path) as string,
      });
      expect(await readdir(other)).toEqual([]);
    },
  );

  it('goes where a link leads that the user has named', async () => {
    const [own, other] = [join(folder, 'own'), join(folder, 'other')];
    await mkdir(other);
    await symlink(other, own);
    const plan = planned(own);
    await prepareResources(plan);
    await writeResources(plan);
    expect(await readdir(other)).toEqual(WRITTEN);
  });

  it('is refused beforehand where somebody else has a next-steps.txt, which stays', async () => {
    const path = join(folder, 'next-steps.txt');
    await writeFile(path, 'call the site first\n');
    await expect(prepareResources(planned(folder))).rejects.toMatchObject({
      ...{ code: 'USAGE', exitStatus: 2 },
      message: expect.stringContaining(path) as string,
    });
    expect(await readFile(path, 'utf8')).toBe('call the site first\n');
  });
});

describe('the files of releases', () => {
  const planned = (more: Partial<PlanOptions> = {}, parts = RELEASES): PlannedResources =>
    planResources({ parts }, [releaseKind], destinations, {
      ...{ folder: '/srv/resources', newer: [], certificates: [] },
      ...more,
    });
  const namesOf = ({ files }: PlannedResources): readonly string[] =>
    files.map(({ path }) => path.replace('/srv/resources/', ''));

  it('are the same bytes in 100 runs', () => {
    const first = planned({ certificates: ['a PEM'] });
    for (let run = 0; run < 100; run += 1)
      expect(planned({ certificates: ['a PEM'] })).toEqual(first);
    const texts = first.files.map(({ text }) => Buffer.from(text).toString());
    expect(texts.join()).not.toMatch(/creationTimestamp|createdAt/);
  });

  it('come in the order in which a cluster takes them', () => {
    const { objects } = planned({ certificates: ['a PEM'] });
    expect(objects.map(({ effect }) => effect.stage)).toEqual([
      ...['signatures', 'signatures', 'trust', 'trust', 'mirrors', 'mirrors'],
    ]);
  });

  it('are listed for oc apply -k, but for those that need a thought first', () => {
    const { files } = planned({ certificates: ['a PEM'] });
    const list = files.find(({ path }) => path.endsWith('/kustomization.yaml'))!;
    const { resources } = parse(String(list.text)) as { resources: string[] };
    expect(resources).toEqual(resources.toSorted());
    expect(resources.map((name) => name.replace(/-[0-9a-f]{8,}\.yaml$/, ''))).toEqual([
      ...['idms-r-example-com-ocp4', 'signature-sha256', 'signature-sha256'],
    ]);
  });

  it('are those of oc-mirror under its names, and no others', () => {
    expect(namesOf(planned({ names: 'oc-mirror' }))).toEqual([
      ...['signature-configmap.yaml', 'signature-configmap.json'],
      ...['idms-oc-mirror.yaml', 'itms-oc-mirror.yaml', 'install/image-digest-sources.yaml'],
    ]);
  });

  it('are called in the steps as they are written', () => {
    const service = { apiVersion: 'v1', kind: 'UpdateService', metadata: { name: 'a' } };
    const kind = {
      ...releaseKind,
      resources: () => ({
        files: [resourceFile('mine.yaml', [service], EFFECTS.service)],
        mirrors: [],
        section: (paths: DeliveredPaths) => [`oc apply -f ${paths.of('mine.yaml')}`],
      }),
    };
    const stepsFor = (names: 'bundle' | 'oc-mirror'): unknown =>
      planResources({ parts: RELEASES }, [kind], destinations, {
        ...{ folder: '/srv/resources', names, newer: [], certificates: [] },
      }).steps.text;
    expect(stepsFor('bundle')).toContain('oc apply -f mine.yaml');
    expect(stepsFor('oc-mirror')).toContain('oc apply -f updateService.yaml');
  });

  it('make folders of their own for what is not for every cluster', () => {
    expect(planned({ certificates: ['a PEM'] }).folders).toEqual(
      ['trust', 'for-4.12', 'install'].map((name) => `/srv/resources/${name}`),
    );
  });

  it('are applied before the release is asked for, the signature first', () => {
    const [release] = RELEASES;
    const { firstSteps } = planned({}, [release!]);
    const commands = firstSteps.flatMap((step) => step.commands);
    const words = commands.map((line) => line.replace(/ \S*resources\/| --to-image \S+/g, ' '));
    expect(words.map((line) => line.replace(/-[0-9a-f]{8,}\.yaml$/, ''))).toEqual([
      'oc apply -f signature-sha256',
      'oc diff -f idms-r-example-com-ocp4',
      'oc apply -f idms-r-example-com-ocp4',
      'oc adm upgrade --allow-explicit-upgrade ',
    ]);
    const { firstSteps: ofSeveral } = planned();
    expect(ofSeveral.flatMap((step) => step.commands).join('\n')).not.toContain('upgrade');
    expect(ofSeveral.at(-1)!.condition).toContain('next-steps.txt');
  });

  it('are shown at once without a condition only where they are right for every cluster', () => {
    const { firstSteps } = planned({ certificates: ['a PEM'] }, [RELEASES[0]!]);
    const without = firstSteps.filter(({ condition }) => condition === undefined);
    expect(without.flatMap(({ commands }) => commands)).toEqual([
      expect.stringMatching(/^oc apply -f \S*signature-/),
    ]);
    const all = firstSteps.flatMap(({ commands }) => commands).join('\n');
    expect(all).not.toMatch(/image-config|trust\//);
    const trust = firstSteps.find(({ files }) => files.some((file) => file.includes('trust/')));
    expect(trust!.condition).toContain('next-steps.txt');
    expect(firstSteps.at(-1)!.condition).toContain('oc get mcp');
    expect(firstSteps.at(-1)!.commands.join()).toContain('oc adm upgrade');
  });

  it('are warned of where the registry is an address of one machine', () => {
    const at = (to: string): PlannedResources =>
      planResources({ parts: RELEASES }, [releaseKind], planDestinations({ to: parseTarget(to) }), {
        folder: '/srv/resources',
        newer: [],
        certificates: [],
      });
    for (const to of ['localhost:5000/a', '127.0.0.1:5000', '[::1]:5000', 'a.localhost']) {
      expect(at(to).isLoopback).toBe(true);
      expect(at(to).steps.text).toContain('WARNING: ');
    }
    for (const to of ['r.example.com', '10.0.0.1:5000', 'localhost.example.com']) {
      expect(at(to).isLoopback).toBe(false);
      expect(at(to).steps.text).not.toContain('WARNING: ');
    }
  });
});

describe('what is written', () => {
  const WANTED: PlanOptions = {
    folder: '/srv/resources',
    newer: [],
    certificates: ['a PEM\n'],
    sourcePolicy: 'NeverContactSource',
    extras: { clusterImageSets: true, runningRelease: '4.16.20' },
  };

  it.each(['bundle', 'oc-mirror'] as const)(
    'is what is kept in fixtures, to the byte, under the names of %s',
    async (names) => {
      const options = { ...WANTED, names };
      const { files, steps } = planResources(
        { parts: RELEASES },
        [releaseKind],
        destinations,
        options,
      );
      const kept = projectPath('fixtures/cluster-resources', names);
      const texts = Object.fromEntries(
        [...files, steps].map(({ path, text }) => [
          path.replace('/srv/resources/', ''),
          Buffer.from(text).toString(),
        ]),
      );
      const found = await readdir(kept, { recursive: true, withFileTypes: true });
      const expected = await Promise.all(
        found
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .map(
            async (path) => [path.slice(kept.length + 1), await readFile(path, 'utf8')] as const,
          ),
      );
      expect(texts).toEqual(Object.fromEntries(expected));
    },
  );
});

describe('the mirrors of a plan', () => {
  const kind = {
    name: 'sample',
    resources: () => ({
      files: [],
      mirrors: [
        ['quay.io/team/tool', 'r.example.com/ocp4/team/tool', 'digest'],
        ['registry.redhat.io/ubi8', 'r.example.com/ocp4/ubi8', 'digest'],
        ['docker.io/library/nginx', 'r.example.com/ocp4/nginx', 'tag'],
      ].map(([source, mirror, knownBy]) => ({ source, mirror, knownBy, group: 'generic' })),
      section: () => [],
    }),
  } as unknown as Kind;
  const part = { kind: 'sample', label: 'a', names: [], images: [], files: [], leading: [] };
  const sourcesIn = (options: Partial<PlanOptions>): readonly (readonly string[])[] => {
    const closure = { parts: [part as unknown as Part] };
    const plan = planResources(closure, [kind], destinations, {
      ...{ folder: '/srv/x', newer: [], certificates: [] },
      ...options,
    });
    return plan.objects.map(({ objects }) =>
      objects.flatMap(({ spec }) =>
        Object.values(spec as Record<string, { source: string; mirrors: string[] }[]>).flatMap(
          (list) => list.map(({ source, mirrors }) => `${source} ${mirrors.join(' ')}`),
        ),
      ),
    );
  };
  const digests = [
    'quay.io/team/tool r.example.com/ocp4/team/tool',
    'registry.redhat.io/ubi8 r.example.com/ocp4/ubi8',
  ];
  const tags = ['docker.io/library/nginx r.example.com/ocp4/nginx'];

  it('stand for one repository each', () => {
    expect(sourcesIn({})).toEqual([digests, tags, digests]);
    expect(sourcesIn({ names: 'oc-mirror', scope: 'repository' })).toEqual([digests, tags]);
  });

  it('stand for namespaces where they are wanted, and never for a whole host', () => {
    const wide = ['quay.io/team r.example.com/ocp4/team', digests[1]!];
    expect(sourcesIn({ scope: 'namespace' })).toEqual([wide, tags, wide]);
  });

  it('stand for namespaces and hosts under the names of oc-mirror, as there', () => {
    const wide = ['quay.io/team r.example.com/ocp4/team', 'registry.redhat.io r.example.com/ocp4'];
    expect(sourcesIn({ names: 'oc-mirror' })).toEqual([wide, tags]);
  });
});
