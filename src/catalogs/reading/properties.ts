import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { Api, CatalogBundle, PackageVersion, Requirement } from '../catalog.ts';
import { field, textField, WrongField } from './fields.ts';

type Properties = Pick<CatalogBundle, 'versions' | 'provides' | 'requires' | 'objects' | 'fault'>;

/** The properties of a bundle that say what it is and needs. The large ones are not kept. */
export function readProperties(
  properties: readonly JsonObject[],
  shared: (text: string) => string,
): Properties {
  const versions: PackageVersion[] = [];
  const provides: Api[] = [];
  const requires: Requirement[] = [];
  let objects = 0;
  let fault: string | undefined;
  for (const [index, property] of properties.entries()) {
    const type = textField(property, 'type');
    try {
      const value = field(property, 'value');
      switch (type) {
        case 'olm.package':
          versions.push({
            packageName: shared(textField(asObject(value), 'packageName')),
            version: textField(asObject(value), 'version'),
            release: textField(asObject(value), 'release'),
          });
          break;
        case 'olm.gvk':
          provides.push(apiOf(asObject(value), shared));
          break;
        case 'olm.gvk.required':
          requires.push({ type: 'api', api: apiOf(asObject(value), shared) });
          break;
        case 'olm.package.required':
          requires.push({
            type: 'package',
            name: shared(textField(asObject(value), 'packageName')),
            range: shared(textField(asObject(value), 'versionRange')),
          });
          break;
        case 'olm.constraint':
          requires.push({ type: 'constraint', value: value ?? null });
          break;
        case 'olm.bundle.object':
          textField(asObject(value), 'data');
          objects += 1;
          break;
        default:
          if (value === undefined) throw new WrongField('value is missing');
      }
    } catch (error) {
      if (!(error instanceof WrongField)) throw error;
      fault ??= `property ${index + 1} (${type}): ${error.message}`;
    }
  }
  return { versions, provides, requires, objects, fault };
}

function apiOf(value: JsonObject, shared: (text: string) => string): Api {
  return {
    group: shared(textField(value, 'group')),
    version: shared(textField(value, 'version')),
    kind: shared(textField(value, 'kind')),
  };
}

function asObject(value: Json | undefined): JsonObject {
  if (value === null) return {};
  if (isObject(value)) return value;
  throw new WrongField('value is no object');
}
