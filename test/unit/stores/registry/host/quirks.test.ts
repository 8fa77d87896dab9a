import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../../../../src/stores/registry/host/challenge.ts';
import { quirkOf, type Signs } from '../../../../../src/stores/registry/host/quirks.ts';
import { UploadLimits } from '../../../../../src/stores/registry/host/upload-limits.ts';

const MiB = 1024 * 1024;

const signs = (challenge: string, headers: Signs['headers'] = {}): Signs => ({
  headers,
  challenges: parseChallenges(challenge),
});

describe('quirkOf', () => {
  it.each([
    [
      'Harbor',
      signs('Bearer realm="https://harbor.example.com/service/token",service="harbor-registry"'),
    ],
    [
      'Amazon ECR',
      signs(
        'Basic realm="https://123456789.dkr.ecr.eu-central-1.amazonaws.com/",service="ecr.amazonaws.com"',
      ),
    ],
    [
      'GitHub',
      signs(
        'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull"',
      ),
    ],
    [
      'Google Artifact Registry',
      signs('Bearer realm="https://us-central1-docker.pkg.dev/v2/token"'),
    ],
    [
      'Google Artifact Registry',
      signs(
        'Bearer realm="https://europe-docker.pkg.dev/v2/token",service="europe-docker.pkg.dev"',
      ),
    ],
    [undefined, signs('Bearer realm="https://evil.example.com/x-docker.pkg.dev/v2/token"')],
    [undefined, signs('Bearer realm="https://gcr.io/v2/token",service=gcr.io')],
    ['Quay', signs('Bearer realm="https://quay.io/v2/auth",service="quay.io"')],
    [
      'Quay',
      signs(
        'Bearer realm="https://mirror.example.com:8443/v2/auth",service="mirror.example.com:8443"',
      ),
    ],
    ['a registry behind Cloudflare', signs('', { server: 'cloudflare' })],
    [undefined, signs('Basic realm="Registry Realm"', { server: 'nginx' })],
    [undefined, signs('Bearer realm="https://auth.docker.io/token",service="registry.docker.io"')],
  ])('%s', (product, found) => {
    expect(quirkOf(found)?.product).toBe(product);
  });

  it.each([
    [
      'Basic realm="r",service="ecr.amazonaws.com"',
      { chunk: 64 * MiB, largest: Number.POSITIVE_INFINITY, takesChunks: true, losesBroken: true },
    ],
    [
      'Bearer realm="r",service="ghcr.io"',
      { chunk: 4 * MiB, largest: 4 * MiB, takesChunks: true, losesBroken: false },
    ],
    [
      'Bearer realm="https://x-docker.pkg.dev/v2/token"',
      {
        chunk: 64 * MiB,
        largest: Number.POSITIVE_INFINITY,
        takesChunks: false,
        losesBroken: false,
      },
    ],
  ])('%s sets the limits of uploads', (challenge, expected) => {
    const limits = new UploadLimits();
    limits.expect(quirkOf(signs(challenge))!);
    const { largest, takesChunks, losesBroken } = limits;
    expect({ chunk: limits.chunk(), largest, takesChunks, losesBroken }).toEqual(expected);
  });

  it('never goes below the chunks that a registry needs', () => {
    const limits = new UploadLimits();
    limits.expect(quirkOf(signs('Basic realm="r",service="ecr.amazonaws.com"'))!);
    limits.refused(20 * MiB);
    limits.refused(16 * MiB);
    expect(limits.chunk()).toBe(5 * MiB);
  });
});
