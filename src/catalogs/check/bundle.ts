import { oneLine } from '../../core/text.ts';
import type { CatalogBundle, PackageVersion } from '../catalog.ts';
import { parseVersion } from '../versions/version.ts';
import type { Finding } from './finding.ts';
import { isPullSpec } from './pull-spec.ts';

const RELEASE =
  /^(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*$/;
const MOST_OF_RELEASE = 20;

/** What is wrong with a bundle by itself. */
export function* checkBundle(bundle: CatalogBundle): Generator<Finding> {
  const { name, package: ofPackage, image, relatedImages, versions, objects, fault } = bundle;
  if (fault !== undefined) yield { rule: 'bundle-properties', message: `has a bad ${fault}` };
  const [version] = versions;
  if (version === undefined || versions.length > 1)
    yield {
      rule: 'bundle-properties',
      message: `has ${versions.length} properties olm.package, instead of one`,
    };
  else yield* checkVersion(name, ofPackage, version);
  if (image === '' && objects === 0) yield { rule: 'bundle-image', message: 'names no image' };
  if (image !== '' && !isPullSpec(image))
    yield { rule: 'bundle-image', message: `names an image that is none: ${oneLine(image)}` };
  for (const related of relatedImages)
    if (related.image !== '' && !isPullSpec(related.image))
      yield {
        rule: 'bundle-image',
        message: `names a related image that is none: ${oneLine(related.image)}`,
      };
}

function* checkVersion(
  bundle: string,
  ofPackage: string,
  { packageName, version, release }: PackageVersion,
): Generator<Finding> {
  if (packageName !== ofPackage)
    yield {
      rule: 'bundle-package',
      message: `says in its property olm.package that it is of package ${oneLine(packageName)}`,
    };
  const parsed = parseVersion(version);
  if (parsed === undefined)
    yield {
      rule: 'bundle-version',
      message: `has a version that is none: ${version === '' ? '(empty)' : oneLine(version)}`,
    };
  if (release === '') return;
  if (release.length > MOST_OF_RELEASE || !RELEASE.test(release))
    yield { rule: 'bundle-version', message: `has a release that is none: ${oneLine(release)}` };
  else if (parsed !== undefined && bundle !== `${ofPackage}-v${version}-${release}`)
    yield {
      rule: 'bundle-name',
      message: `has to be named ${ofPackage}-v${version}-${release}, since it has a release`,
    };
  if (parsed !== undefined && parsed.build !== '')
    yield { rule: 'bundle-version', message: 'has build metadata and a release: only one may be' };
}
