import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { digestOf, hexOf } from '../../../../src/core/digest.ts';
import {
  readSignatureConfigMap,
  signatureConfigMap,
} from '../../../../src/kinds/release/config-map.ts';

const digest = digestOf('a release');
const name = `sha256-${hexOf(digest)}`;
const messages = [Buffer.alloc(900, 0xa3), Buffer.from('another')];
const text = Buffer.from(signatureConfigMap(digest, messages).text).toString();

describe('signatureConfigMap', () => {
  it('is the object that clusters look for', () => {
    expect(parse(text)).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace: 'openshift-config-managed',
        labels: { 'release.openshift.io/verification-signatures': '' },
      },
      binaryData: {
        [`${name}-1`]: messages[0]!.toString('base64'),
        [`${name}-2`]: messages[1]!.toString('base64'),
      },
    });
    expect(signatureConfigMap(digest, messages).name).toBe(
      `signature-${name.slice(0, 'sha256-'.length + 16)}.yaml`,
    );
  });

  it('keeps a long signature on one line', () => {
    expect(text.split('\n').find((line) => line.includes(`${name}-1: `))).toContain(
      messages[0]!.toString('base64'),
    );
  });
});

describe('readSignatureConfigMap', () => {
  it('gives back what went in', () => {
    const message = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(fc.string(), fc.array(message, { minLength: 1, maxLength: 12 }), (seed, many) => {
        const made = signatureConfigMap(digestOf(seed), many);
        const read = readSignatureConfigMap(made.text);
        expect(read.digest).toBe(digestOf(seed));
        expect(read.messages.map((one) => [...one])).toEqual(many.map((one) => [...one]));
      }),
    );
  });

  it('takes a signature for what it is, whatever YAML might read into it', () => {
    const oddities = [
      Buffer.from('30E0', 'base64'),
      Buffer.from('1234', 'base64'),
      Buffer.from('null', 'base64'),
    ];
    expect(readSignatureConfigMap(signatureConfigMap(digest, oddities).text).messages).toEqual(
      oddities,
    );
  });

  it.each([
    ['a second document', `${text}---\nkind: Secret\n`],
    ['a comment', `# hello\n${text}`],
    ['another namespace', text.replace('openshift-config-managed', 'default')],
    ['a label more', text.replace('  labels:\n', '  labels:\n    owner: me\n')],
    ['a key more', `${text}data:\n  extra: "1"\n`],
    ['an anchor', text.replace('metadata:', 'metadata: &a')],
    ['another name', text.replace(name, name.replace(/.$/, 'x'))],
    ['the name of another digest', text.replace(`name: ${name}`, `name: sha256-${'0'.repeat(64)}`)],
    ['a number left out', text.replace(`${name}-2:`, `${name}-3:`)],
    ['base64 with spare bits', text.replace(/=$/m, 'B=')],
    ['CR LF', text.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\uFEFF${text}`],
    ['no signature line', text.replace(/^ {2}sha256.*$/gm, '')],
    ['nothing', ''],
    ['deep nesting', '['.repeat(200_000)],
  ])('refuses %s', (_, altered) => {
    expect(() => readSignatureConfigMap(Buffer.from(altered))).toThrow(
      expect.objectContaining({ code: 'CLOSURE_MISMATCH' }),
    );
  });

  it('refuses every changed byte, or reads other signatures', () => {
    const small = Buffer.from(signatureConfigMap(digest, [Buffer.from('short')]).text);
    for (let at = 0; at < small.length; at += 1) {
      const altered = Buffer.from(small);
      altered[at]! ^= 0x01;
      try {
        const read = readSignatureConfigMap(altered);
        expect(Buffer.from(read.messages[0]!).toString()).not.toBe('short');
      } catch (error) {
        expect(error).toMatchObject({ code: 'CLOSURE_MISMATCH' });
      }
    }
  });
});
