import { describe, expect, it } from 'vitest';
import { BundleError } from '../../../../src/core/errors.ts';
import { formatRepository, type RepositoryName } from '../../../../src/core/reference.ts';
import type { ReadOnlyStore } from '../../../../src/core/store.ts';
import { MemoryStore } from '../../../../src/stores/memory.ts';
import { askOfficialSources } from '../../../../src/kinds/release/official-sources.ts';

const signal = new AbortController().signal;
const RELEASES = 'quay.io/openshift-release-dev/ocp-release';
const COMPONENTS = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';

/** Repositories under the registry `as` of which some refuse to be read. */
function network(
  refusing: readonly string[],
  as = 'quay.io',
): { source: (name: RepositoryName) => ReadOnlyStore; asked: string[] } {
  const asked: string[] = [];
  const source = (name: RepositoryName): ReadOnlyStore => {
    const store = new MemoryStore(formatRepository({ ...name, registry: as }));
    store.exists = async () => {
      asked.push(formatRepository(name));
      if (refusing.includes(formatRepository(name)))
        throw new BundleError('NOT_ALLOWED', 'refused', { hint: 'log in' });
      return false;
    };
    return store;
  };
  return { source, asked };
}

describe('askOfficialSources', () => {
  it('asks both repositories', async () => {
    const both = network([]);
    await askOfficialSources(both, signal);
    expect(both.asked).toEqual([RELEASES, COMPONENTS]);
  });

  it.each([RELEASES, COMPONENTS])(
    'says where a pull secret comes from when %s refuses',
    async (refusing) => {
      await expect(askOfficialSources(network([refusing]), signal)).rejects.toMatchObject({
        code: 'NOT_ALLOWED',
        hint: expect.stringMatching(
          /console\.redhat\.com\/openshift\/install\/pull-secret.*log in/,
        ) as unknown,
      });
    },
  );

  it('leaves a source that is out of reach to those who need it: mirrors may have everything', async () => {
    const out = network([]);
    const source = (name: RepositoryName): ReadOnlyStore => {
      const store = out.source(name);
      store.exists = async () => {
        throw new BundleError('NETWORK', 'no such host');
      };
      return store;
    };
    await expect(askOfficialSources({ source }, signal)).resolves.toBeUndefined();
  });

  it('sends nobody to Red Hat whose own mirror refuses', async () => {
    await expect(
      askOfficialSources(network([COMPONENTS], 'mirror.example.com'), signal),
    ).rejects.toMatchObject({ hint: 'log in' });
  });
});
