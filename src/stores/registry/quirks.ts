import type { Challenge } from './challenge.ts';

const MiB = 1024 * 1024;

/** What the first answer of a registry says of its kind. */
export interface Signs {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly challenges: readonly Challenge[];
}

/** What is peculiar to one kind of registry, beyond what all are found out to be by trying. */
export interface Quirk {
  /** As people call it. */
  readonly product: string;
  readonly isMeant: (signs: Signs) => boolean;
  /** Where this is known from. */
  readonly source: string;
  /** What has to be there before a first push. */
  readonly makeFirst?: string;
  /** Bytes of a request that are known to be let through. */
  readonly largestRequest?: number;
  /** Bytes that a chunk has to have, all but the last. */
  readonly leastChunk?: number;
  readonly takesChunks?: boolean;
  /** An upload in which a request broke cannot be continued, whatever the session says. */
  readonly losesBroken?: boolean;
}

const service = ({ challenges }: Signs): string => challenges.map(({ parameters }) => parameters.get('service') ?? '').join(' ');
const realm = ({ challenges }: Signs): string => challenges.map(({ parameters }) => parameters.get('realm') ?? '').join(' ');

/** The first that fits is the one. */
const QUIRKS: readonly Quirk[] = [
  {
    product: 'Harbor',
    isMeant: (signs) => service(signs) === 'harbor-registry',
    source: 'challenge: goharbor/harbor src/server/middleware/v2auth; projects: goharbor/harbor#17097 (401 for one that is not there)',
    makeFirst: 'Harbor needs the project, the first part of the path, before a push: make it, and let the user push there.',
  },
  {
    product: 'Amazon ECR',
    isMeant: (signs) => service(signs) === 'ecr.amazonaws.com',
    source: 'challenge: NVIDIA/enroot#59; parts of 5 MiB: Amazon ECR API, UploadLayerPart; a part cannot be sent twice in one session',
    makeFirst: 'Amazon ECR needs each repository before a push: make both of them.',
    leastChunk: 5 * MiB,
    losesBroken: true,
  },
  {
    product: 'GitHub',
    isMeant: (signs) => service(signs) === 'ghcr.io',
    source: 'chunks of up to 4 MiB: oras-project/rust-oci-client#37',
    largestRequest: 4 * MiB,
  },
  {
    product: 'Google Artifact Registry',
    isMeant: (signs) => service(signs).endsWith('-docker.pkg.dev'),
    source: 'no chunked uploads: cloud.google.com/artifact-registry, and kitops-ml/kitops#777',
    makeFirst: 'Google Artifact Registry needs the repository, the second part of the path, before a push: make it.',
    takesChunks: false,
  },
  {
    product: 'Quay',
    isMeant: (signs) => /^https?:\/\/[^/]+\/v2\/auth$/.test(realm(signs)),
    source: 'challenge: quay/quay endpoints/v2; repositories are made on push where the user may create them in the organization',
    makeFirst:
      'Quay needs the organization, the first part of the path, before a push, and a user that may create repositories in it, or may write to both.',
  },
  {
    product: 'a registry behind Cloudflare',
    isMeant: ({ headers }) => headers['server'] === 'cloudflare',
    source: 'requests of up to 100 MB: developers.cloudflare.com/workers/platform/limits',
    largestRequest: 64 * MiB,
  },
];

export function quirkOf(signs: Signs): Quirk | undefined {
  return QUIRKS.find(({ isMeant }) => isMeant(signs));
}
