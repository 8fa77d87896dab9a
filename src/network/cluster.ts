import { accessOf } from '../cluster/access.ts';
import { type ClusterClient, connect } from '../cluster/client.ts';
import { type ClusterChoice, findContext } from '../cluster/kubeconfig.ts';
import type { Context } from '../core/context.ts';
import { systemCertificates } from '../stores/registry/http/certificates.ts';
import { proxyFor, proxyFromEnvironment } from '../stores/registry/http/proxy.ts';

export interface ClusterOptions extends ClusterChoice {
  /** Whether a program that the kubeconfig names may ask the user something. */
  readonly canAsk: boolean;
}

/**
 * Opens the API of the cluster that the user has chosen; it is asked nothing yet.
 * @throws BundleError NOT_ALLOWED, CONFIGURATION
 */
export async function openCluster(
  options: ClusterOptions,
  { environment, signal }: Pick<Context, 'environment' | 'signal'>,
): Promise<ClusterClient> {
  const { env } = environment;
  const chosen = await findContext(options, environment);
  const proxy = proxyFromEnvironment(env);
  const access = await accessOf(chosen, {
    environment,
    signal,
    canAsk: options.canAsk,
    proxyFor: (url) => proxyFor(url, proxy),
    hostCas: () => systemCertificates(env, []),
  });
  return connect(access, signal);
}
