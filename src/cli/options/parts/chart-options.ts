import { many, one, type OptionTable } from '../table.ts';

/** Charts, and how their images are found. */
export const chartOptions: OptionTable = {
  chart: many(
    'a Helm chart with its images: oci://REFERENCE:VERSION, a folder, an archive, or ' +
      'REPOSITORY_URL#NAME[@VERSION] (repeatable)',
  ),
  helm: one('the helm program that renders charts, or none (default: helm on PATH)'),
  'helm-repositories': one(
    'file with users and passwords of chart repositories, as helm repo add writes it ' +
      '(repositories.yaml)',
  ),
  'helm-values': many('values for a chart: CHART=FILE (repeatable, later ones win)'),
  'helm-images': one('YAML file of images that charts need: a map from CHART to a list'),
  'kube-version': one('version of Kubernetes that charts are rendered for'),
  'api-versions': many('an API that charts may count on, as in route.openshift.io/v1 (repeatable)'),
  'chart-keyring': one('keyring: the provenance file of every chart has to be good'),
};
