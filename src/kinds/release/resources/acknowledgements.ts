/**
 * What a cluster wants to be acknowledged before it updates to a minor version of OpenShift 4, by
 * that version. The running release holds the list, and its fixes change it: so a cluster is asked
 * too. The keys are those of openshift/cluster-version-operator (admin-gates) and, for boot images
 * and sigstore, of openshift/machine-config-operator.
 */
const ACKNOWLEDGEMENTS: Readonly<Record<number, readonly string[]>> = {
  9: ['ack-4.8-kube-1.22-api-removals-in-4.9'],
  12: ['ack-4.11-kube-1.25-api-removals-in-4.12'],
  13: ['ack-4.12-kube-1.26-api-removals-in-4.13'],
  14: ['ack-4.13-kube-1.27-api-removals-in-4.14'],
  16: ['ack-4.15-kube-1.29-api-removals-in-4.16'],
  19: ['ack-4.18-kube-1.32-api-removals-in-4.19', 'ack-4.18-boot-image-opt-out-in-4.19'],
  20: ['ack-4.19-admissionregistration-v1beta1-api-removals-in-4.20'],
  21: ['ack-4.20-sigstore-in-4.21'],
  22: ['ack-4.21-boot-image-opt-out-in-4.22'],
};

/** Those that are known for the update to a minor version; none for most. */
export function acknowledgementsOf(minor: number): readonly string[] {
  return ACKNOWLEDGEMENTS[minor] ?? [];
}
