import type { Challenge } from './challenge.ts';

const MiB = 1024 * 1024;

/** The features of the first answer of a registry that give away its product. */
export interface Signs {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly challenges: readonly Challenge[];
}

/** Facts about one registry product that the program cannot find out by trying. */
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

const service = ({ challenges }: Signs): string =>
  challenges.map(({ parameters }) => parameters.get('service') ?? '').join(' ');
const realm = ({ challenges }: Signs): string =>
  challenges.map(({ parameters }) => parameters.get('realm') ?? '').join(' ');

/** The first that fits is the one. */
const QUIRKS: readonly Quirk[] = [
  {
    product: 'Harbor',
    isMeant: (signs) => service(signs) === 'harbor-registry',
    source:
      'challenge: goharbor/harbor src/server/middleware/v2auth, and #12192; projects: #966 (401 for one that is not there), #20544',
    makeFirst:
      'Harbor needs the project, the first part of the path, before a push: make it, ' +
      'and let the user push there.',
  },
  {
    product: 'Amazon ECR',
    isMeant: (signs) => service(signs) === 'ecr.amazonaws.com',
    source:
      'challenge: mayflower/docker-ls#28; parts of 5 MiB: Amazon ECR API, LayerPartTooSmallException; sessions that do not tell what they hold: ' +
      'aws/containers-roadmap#2831, and take no part twice: apple/containerization#790; ' +
      'repositories: ' +
      'aws.amazon.com/about-aws/whats-new/2025/12/amazon-ecr-creating-repositories-on-push',
    makeFirst:
      'Amazon ECR needs each repository before a push, unless a creation template makes it: ' +
      'make both of them.',
    leastChunk: 5 * MiB,
    losesBroken: true,
  },
  {
    product: 'GitHub',
    isMeant: (signs) => service(signs) === 'ghcr.io',
    source:
      'challenge: jdx/mise#9273; requests of up to 4 MiB: oras-project/rust-oci-client#35 and #37, ocx-sh/ocx#237',
    largestRequest: 4 * MiB,
  },
  {
    product: 'Google Artifact Registry',
    isMeant: (signs) => /^https:\/\/[a-z0-9-]+-docker\.pkg\.dev\/v2\/token$/.test(realm(signs)),
    source:
      'challenge, without a service: apple/container#1026; no chunked uploads: dotnet/sdk-container-builds#287 (with the words of its manual), ' +
      'kitops-ml/kitops#777; repositories: ' +
      'docs.cloud.google.com/artifact-registry/docs/docker/pushing-and-pulling',
    makeFirst:
      'Google Artifact Registry needs the repository, the second part of the path, ' +
      'before a push: make it.',
    takesChunks: false,
  },
  {
    product: 'Quay',
    isMeant: (signs) => /^https?:\/\/[^/]+\/v2\/auth$/.test(realm(signs)),
    source:
      'challenge: quay/quay auth/registry_jwt_auth.py; repositories are made on push by who may create them: endpoints/v2/v2auth.py',
    makeFirst:
      'Quay needs the organization, the first part of the path, before a push, ' +
      'and a user that may create repositories in it, or may write to both.',
  },
  {
    product: 'a registry behind Cloudflare',
    isMeant: ({ headers }) => headers['server'] === 'cloudflare',
    source:
      'requests of up to 100 MB in its plans Free and Pro: ' +
      'developers.cloudflare.com/workers/platform/limits',
    largestRequest: 64 * MiB,
  },
];

export function quirkOf(signs: Signs): Quirk | undefined {
  return QUIRKS.find(({ isMeant }) => isMeant(signs));
}
