import { parse } from 'yaml';

import { describe, expect, it } from 'vitest';

import { digestOf } from '../../../../src/core/digest.ts';
import { parseTarget, planDestinations } from '../../../../src/kinds/destinations.ts';
import type { GraphFacts } from '../../../../src/kinds/graph/expand.ts';
import { graphResources, updateService } from '../../../../src/kinds/graph/update-service.ts';
import type { Part } from '../../../../src/kinds/kind.ts';

const image = digestOf('the graph image');
const at = planDestinations({ to: parseTarget('registry.example.com:5000/ocp4') });
const facts = { image } as GraphFacts;

describe('an UpdateService', () => {
  it('names the repository of release images, and the graph image by digest', () => {
    expect(updateService(facts, at)['spec']).toEqual({
      graphDataImage: `registry.example.com:5000/ocp4/openshift/graph-image@${image}`,
      releases: 'registry.example.com:5000/ocp4/openshift/release-images',
      replicas: 2,
    });
  });

  it('has a name from which every version of the operator can make a host', () => {
    const { name, namespace } = updateService(facts, at).metadata;
    for (const route of ['route', 'policy-engine-route'])
      expect(`${name}-${route}-${namespace!}`.length).toBeLessThanOrEqual(63);
  });

  it('is a file of its own folder, and the steps name it', () => {
    const resources = graphResources({ facts } as Part<GraphFacts>, at);
    const { files, mirrors } = resources;
    const [file, ...more] = files;
    expect(more).toEqual([]);
    expect(file).toMatchObject({ name: 'update-service/update-service.yaml' });
    expect(parse(Buffer.from(file!.text).toString())).toEqual(updateService(facts, at));
    const paths = { mirrorSet: 'm', install: ['i'], of: (name: string) => `there/${name}` };
    expect(resources.section(paths).join('\n')).toContain(
      'oc apply -f there/update-service/update-service.yaml',
    );
    expect(mirrors).toEqual([]);
    expect(resources).not.toHaveProperty('update');
    expect(resources.shown!(paths)).toEqual([
      {
        condition: expect.stringContaining('next-steps.txt') as string,
        commands: ['oc apply -f there/update-service/update-service.yaml'],
        files: ['update-service/update-service.yaml'],
      },
    ]);
  });
});
