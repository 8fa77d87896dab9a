import { describe, expect, it } from 'vitest';

import { formatReference } from '../../../../../src/core/reference.ts';
import type { Architecture } from '../../../../../src/kinds/release/architecture.ts';
import { parseKubeVirtImages } from '../../../../../src/kinds/release/payload/boot-images.ts';

const DISK = `quay.io/dev/art@sha256:${'a'.repeat(64)}`;

/** The config map with this as its stream, as publishers write it. */
function configMap(stream: unknown): Buffer {
  const lines = JSON.stringify(stream, null, 2).split('\n');
  const block = lines.map((line) => `    ${line}`).join('\n');
  return Buffer.from(`apiVersion: v1\ndata:\n  stream: |\n${block}\nkind: ConfigMap\n`);
}

function withDisks(references: Readonly<Record<string, unknown>>): Buffer {
  const architectures = Object.fromEntries(
    Object.entries(references).map(([name, reference]) => [
      name,
      { artifacts: {}, images: { kubevirt: { image: 'a', 'digest-ref': reference } } },
    ]),
  );
  return configMap({ stream: 'rhcos', architectures });
}

function named(bytes: Buffer | undefined, architecture: Architecture): readonly string[] {
  return parseKubeVirtImages(bytes, architecture).map(
    ({ name, reference }) => `${name} ${formatReference(reference)}`,
  );
}

describe('the KubeVirt images of a release', () => {
  it('are those for its architecture', () => {
    const other = DISK.replace('dev', 'other');
    const bytes = withDisks({ x86_64: DISK, s390x: other });
    expect(named(bytes, 'x86_64')).toEqual([`kube-virt-container ${DISK}`]);
    expect(named(bytes, 's390x')).toEqual([`kube-virt-container ${other}`]);
    expect(named(bytes, 'multi')).toEqual([
      `kube-virt-container-x86_64 ${DISK}`,
      `kube-virt-container-s390x ${other}`,
    ]);
    expect(named(withDisks({ s390x: other }), 'multi')).toEqual([`kube-virt-container ${other}`]);
  });

  it('are none where the release names none', () => {
    expect(named(undefined, 'x86_64')).toEqual([]);
    expect(named(withDisks({ x86_64: DISK }), 'aarch64')).toEqual([]);
    expect(named(withDisks({ x86_64: '' }), 'x86_64')).toEqual([]);
    expect(named(configMap({ architectures: { x86_64: { images: {} } } }), 'x86_64')).toEqual([]);
    expect(named(configMap({ architectures: {} }), 'x86_64')).toEqual([]);
  });

  it.each([
    ['no YAML', Buffer.from('a: [')],
    ['aliases', Buffer.from('a: &a [1]\nb: *a\ndata: {stream: "{}"}\n')],
    ['no data', Buffer.from('kind: ConfigMap\n')],
    ['nothing in it', Buffer.from('')],
    ['a stream that is no JSON', Buffer.from('data: {stream: "{"}\n')],
    ['a stream with a key twice', Buffer.from(`data: {stream: '{"a":1,"a":2}'}\n`)],
    ['no architectures', configMap({ stream: 'rhcos' })],
    ['an image by tag', withDisks({ x86_64: 'quay.io/dev/art:1' })],
    ['an image by tag and digest', withDisks({ x86_64: DISK.replace('@', ':1@') })],
    ['an image that is no reference', withDisks({ x86_64: 'a b' })],
    ['an image that is no text', withDisks({ x86_64: 1 })],
  ])('are refused in a config map with %s', (_, bytes) => {
    expect(() => parseKubeVirtImages(bytes, 'x86_64')).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_CONTENT' }),
    );
  });
});
