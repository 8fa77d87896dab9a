import { describe, expect, it } from 'vitest';

import { blobPath, isEntryPath, isFilePath } from '../../../../src/bundle/format/paths.ts';
import { digestOf } from '../../../../src/core/digest.ts';

const LONGEST = `config/${'a'.repeat(92)}`;

/** A path, whether the file of a part may be called so, and whether anything in a bundle may. */
const PATHS: readonly (readonly [string, boolean, boolean])[] = [
  ['config/signature-sha256-0123456789abcdef.yaml', true, true],
  ['signatures/quay.io/a@sha256=0123/signature-1', false, false],
  ['signatures/a_b/sha256=0123/signature-1', true, true],
  ['graph/data.tar.gz', true, true],
  ['charts/name-1.2.3+4.tgz', true, true],
  ['config/_', true, true],
  [LONGEST, true, true],
  [`${LONGEST}a`, false, false],
  ['bundle.json', false, true],
  ['oci-layout', false, true],
  ['index.json', false, true],
  [blobPath(digestOf('x')), false, true],
  [blobPath(digestOf('x')).toUpperCase(), false, false],
  [`blobs/sha256/${'0'.repeat(63)}`, false, false],
  [`blobs/sha512/${'0'.repeat(64)}`, false, false],
  [`config/${blobPath(digestOf('x'))}`, true, true],
  ['SHA256SUMS', false, false],
  ['SHA256SUMS.sig', false, false],
  ['', false, false],
  ['config', false, false],
  ['config/', false, false],
  ['config//a', false, false],
  ['config/a/', false, false],
  ['/config/a', false, false],
  ['./config/a', false, false],
  ['config/.', false, false],
  ['config/..', false, false],
  ['config/../a', false, false],
  ['config/a/../b', false, false],
  ['config/.hidden', false, false],
  ['config/-o', false, false],
  ['config/a b', false, false],
  ['config/a\nb', false, false],
  ['config/a\n', false, false],
  ['config/a\0', false, false],
  ['config/a\\b', false, false],
  ['config/a:b', false, false],
  ['config/ä', false, false],
  ['Config/a', false, false],
  ['other/a', false, false],
  ['install.sh', false, false],
  ['a/config/a', false, false],
];

describe('paths in a bundle', () => {
  it.each(PATHS)('%j', (path, isFile, isEntry) => {
    expect([isFilePath(path), isEntryPath(path)]).toEqual([isFile, isEntry]);
  });
});
