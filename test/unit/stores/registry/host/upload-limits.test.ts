import { expect, it } from 'vitest';
import { UploadLimits } from '../../../../../src/stores/registry/host/upload-limits.ts';

const MiB = 1024 * 1024;

it('finds what a proxy lets through, from above, and keeps to it', () => {
  const limits = new UploadLimits();
  expect(limits.largest).toBe(Number.POSITIVE_INFINITY);
  const tried: number[] = [];
  for (let bytes = 3000 * MiB; bytes > 5 * MiB; bytes = limits.chunk()) {
    tried.push(bytes);
    expect(limits.refused(bytes)).toBe(true);
  }
  expect(tried.map((bytes) => bytes / MiB)).toEqual([3000, 64, 16]);
  expect(limits.largest).toBe(4 * MiB);
});

it('is not confused by what was under way when it learned', () => {
  const limits = new UploadLimits();
  limits.refused(2 * MiB);
  limits.refused(500 * MiB);
  expect(limits.largest).toBe(MiB);
});

it('gives up where nothing smaller is worth trying', () => {
  const limits = new UploadLimits();
  expect(limits.refused(10_000)).toBe(false);
  limits.refusedChunks();
  expect(limits.refused(100 * MiB)).toBe(false);
});

it('makes chunks as large as the registry asks for', () => {
  const limits = new UploadLimits();
  expect(limits.chunk()).toBe(64 * MiB);
  expect(limits.chunk(100 * MiB)).toBe(100 * MiB);
});
