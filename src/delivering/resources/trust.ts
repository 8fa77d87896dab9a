import { X509Certificate } from 'node:crypto';

import { digestOf, hexOf } from '../../core/digest.ts';
import { EFFECTS, resourceFile, type ResourceFile } from '../../kinds/resource-file.ts';
import { readCertificates } from '../../stores/registry/http/certificates.ts';
import { marked } from '../../kinds/object-name.ts';

/** What the update service looks its CA up by. */
const UPDATE_SERVICE = 'updateservice-registry';

/**
 * The certificates of some files, each once, and nothing else of them: a key that somebody keeps
 * beside its certificate must not get into a cluster.
 * @throws BundleError NOT_FOUND, or CONFIGURATION for a file that holds no certificate.
 */
export async function certificatesIn(files: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(files.map(readCertificates));
  return [...new Set(found.flat().map((pem) => new X509Certificate(pem).toString()))];
}

/** What lets a cluster trust the certificate of a registry. */
export interface TrustFiles {
  readonly configMap: ResourceFile;
  /** Names the config map in the configuration of the cluster. */
  readonly patch: ResourceFile;
}

/**
 * A config map with the CA under the name of the registry, in which `..` stands for the `:` before
 * the port, and under the name that the update service looks for; and the object that points a
 * cluster at it. Both have a folder of their own: a cluster takes one such config map, and may have
 * one of the site already.
 */
export function trustFiles(registry: string, certificates: readonly string[]): TrustFiles {
  const name = marked(`registry-ca-${registry}`, hexOf(digestOf(registry)));
  const pem = certificates.join('');
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'openshift-config' },
    data: { [registry.replace(/:(?=[0-9]+$)/, '..')]: pem, [UPDATE_SERVICE]: pem },
  };
  const patch = {
    apiVersion: 'config.openshift.io/v1',
    kind: 'Image',
    metadata: { name: 'cluster' },
    spec: { additionalTrustedCA: { name } },
  };
  return {
    configMap: resourceFile(`trust/${name}.yaml`, [configMap], EFFECTS.trustedCa),
    patch: resourceFile('trust/image-config.yaml', [patch], EFFECTS.trustedCa),
  };
}
