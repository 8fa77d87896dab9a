import { parseArgs } from 'node:util';
import { isReleaseArchitecture, releaseArchitectures } from './lib/architectures.ts';
import type { MadeRelease } from './lib/made-release.ts';
import { makeRelease, type MakeReleaseOptions } from './lib/make-release.ts';
import { registryDestination } from './lib/registry-destination.ts';

const HELP = `Makes an OpenShift release to try things on: real names, a real payload, layers of random bytes. Needs no network.

  npm run make-release -- --out DIR [options]

  --out DIR           gets release-key.asc, signatures/, summary.json, and the image layout in layout/
  --push HOST:PORT    pushes to HOST:PORT/openshift-release-dev/ instead of writing a layout
  --version VERSION   version of the release (default 4.17.3)
  --arch ARCH         ${releaseArchitectures().join(', ')} (default x86_64)
  --components N      the first N of the real components (default: all 183); more get made-up names
  --scale NUMBER      size of layers as a share of real ones (default 0.002; 1 makes 15 GB)
  --seed TEXT         the same seed makes the same images (default 1)
  --rebuild TEXT      makes a light z-stream: the same as with this seed, but for a fifth of the
                      components, which were built again; another --seed is a mass rebuild
  --cosign            adds signature images as cosign makes them
  --referrers         adds SBOMs and signatures that have images as their subject
  --kubevirt          adds the images that virtual machines of KubeVirt boot from
  --programs          adds client programs, and the components whose images have them
  -h, --help          shows this
`;

/** Between a tenth and a quarter of the components change in a light z-stream. */
const LIGHT_SHARE = 0.2;

const OPTIONS = {
  out: { type: 'string' },
  push: { type: 'string' },
  version: { type: 'string', default: '4.17.3' },
  arch: { type: 'string', default: 'x86_64' },
  components: { type: 'string' },
  scale: { type: 'string', default: '0.002' },
  seed: { type: 'string', default: '1' },
  rebuild: { type: 'string' },
  cosign: { type: 'boolean', default: false },
  referrers: { type: 'boolean', default: false },
  kubevirt: { type: 'boolean', default: false },
  programs: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

try {
  await run();
} catch (error) {
  process.stderr.write(`make-release: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { out, push, version, arch, seed, cosign, referrers } = values;
  if (out === undefined) throw new Error('--out is missing: say where the release should go');
  if (!isReleaseArchitecture(arch))
    throw new Error(`--arch ${arch}: not one of ${releaseArchitectures().join(', ')}`);
  const components =
    values.components === undefined ? undefined : positive('--components', values.components);
  const scale = positive('--scale', values.scale);
  const options = {
    out,
    version,
    architecture: arch,
    seed,
    scale,
    cosign,
    referrers,
    programs: values.programs,
    kubeVirt: values.kubevirt,
    ...(components !== undefined && { components }),
    ...(values.rebuild !== undefined && {
      rebuild: { name: values.rebuild, share: LIGHT_SHARE },
    }),
  };
  const made = push === undefined ? await makeRelease(options) : await pushRelease(push, options);
  const megabytes = Math.round(made.bytes / 1e6);
  process.stdout.write(
    `${made.release.digest}\n${made.components.length} components, ${made.blobs} blobs, ${megabytes} MB\n`,
  );
}

async function pushRelease(registry: string, options: MakeReleaseOptions): Promise<MadeRelease> {
  const { destination, close } = registryDestination(registry);
  try {
    return await makeRelease({ ...options, destination });
  } finally {
    await close();
  }
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new Error(`${option} ${text}: not a number over 0`);
  return value;
}
