import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BundleError,
  type ErrorCode,
  gravest,
  hasCode,
  systemCode,
} from '../../../src/core/errors.ts';

/** Exit statuses are a contract: this list is changed only together with the documentation. */
const STATUSES: Record<ErrorCode, number> = {
  USAGE: 2,
  CONFIGURATION: 2,
  CONTENT_MISMATCH: 20,
  CLOSURE_MISMATCH: 20,
  UNSUPPORTED_CONTENT: 20,
  SIGNATURE_MISSING: 21,
  SIGNATURE_INVALID: 21,
  SIGNER_UNKNOWN: 21,
  TOO_FEW_SIGNERS: 21,
  NOT_THE_EXPECTED_BUNDLE: 21,
  NOT_PROVEN: 21,
  BUNDLE_UNUSABLE: 22,
  NOT_FOUND: 23,
  NOT_ALLOWED: 24,
  BLOCKED: 24,
  NETWORK: 25,
  REGISTRY: 25,
  CLUSTER: 25,
  DISK: 26,
  TAG_CONFLICT: 27,
  NOT_REPLAYABLE: 30,
  INTERRUPTED: 130,
};
const codes = Object.keys(STATUSES) as ErrorCode[];

describe('BundleError', () => {
  it.each(Object.entries(STATUSES))('%s ends with status %i', (code, status) => {
    expect(new BundleError(code as ErrorCode, 'x').exitStatus).toBe(status);
  });

  it('is told of a subject once, and keeps everything else', () => {
    const cause = new Error('below');
    const error = new BundleError('INTERRUPTED', 'stopped', {
      cause,
      hint: 'h',
      expected: 'e',
      got: 'g',
      status: 143,
    });
    const told = error.about('etcd');
    expect(told).toMatchObject({
      code: 'INTERRUPTED',
      subject: 'etcd',
      cause,
      hint: 'h',
      expected: 'e',
      got: 'g',
      exitStatus: 143,
    });
    expect(told.about('another')).toBe(told);
  });
});

describe('gravest', () => {
  const order: ErrorCode[] = [
    'SIGNATURE_INVALID',
    'CONTENT_MISMATCH',
    'BUNDLE_UNUSABLE',
    'NOT_ALLOWED',
    'NOT_FOUND',
    'NETWORK',
    'DISK',
  ];

  it('goes by the documented order, whatever the order of the failures', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(order, { minLength: 1 }), (some) => {
        const first = order.find((code) => some.includes(code));
        expect(gravest(some.map((code) => new BundleError(code, 'x')))).toMatchObject({
          code: first,
        });
      }),
    );
  });

  it('puts a bug before everything, and the first of equals first', () => {
    const bug = new TypeError('x is not a function');
    expect(gravest([...codes.map((code) => new BundleError(code, 'x')), bug])).toBe(bug);
    const [one, two] = [new BundleError('NETWORK', 'one'), new BundleError('REGISTRY', 'two')];
    expect(gravest([one, two])).toBe(one);
    expect(gravest([two, one])).toBe(two);
    expect(gravest([])).toBeUndefined();
  });
});

describe('hasCode and systemCode', () => {
  it('look at nothing but real errors', () => {
    expect(hasCode(new BundleError('DISK', 'x'), 'DISK')).toBe(true);
    expect(hasCode({ code: 'DISK' }, 'DISK')).toBe(false);
    expect(systemCode({ code: 'ENOENT' })).toBeUndefined();
    expect(systemCode(Object.assign(new Error('x'), { code: 5 }))).toBeUndefined();
  });
});

describe('a message', () => {
  it('does not repeat the whole of a value that no name is as long as', () => {
    const long = 'x'.repeat(5000);
    const error = new BundleError('USAGE', `--arch: ${long} is none`, {
      ...{ expected: 'amd64', got: long, subject: long, hint: `  bundle verify /${long}` },
    });
    const cut = `${'x'.repeat(300)}…`;
    expect(error).toMatchObject({ message: `--arch: ${cut} is none`, got: cut, subject: cut });
    expect(error.hint).toBe(`  bundle verify /${long}`);
    expect(error.withHint('').message).toBe(error.message);
    const path = `/${'x'.repeat(254)}`.repeat(3);
    expect(new BundleError('DISK', `cannot read ${path}`).message).toContain(path);
  });
});
