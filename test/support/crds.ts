import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

import { projectPath } from '../../scripts/lib/project-root.ts';

/** What these tests look at of the schema of a definition. */
interface Schema {
  readonly type?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

const definitions = readdirSync(projectPath('fixtures/crds'))
  .filter((name) => name.endsWith('.yaml'))
  .map(
    (name) => parse(readFileSync(join(projectPath('fixtures/crds'), name), 'utf8')) as Definition,
  );

/** What is wrong with an object by the definition of its kind; throws where there is none. */
export function violations(object: {
  readonly apiVersion: string;
  readonly kind: string;
}): string[] {
  const [group, version] = object.apiVersion.split('/');
  const { spec } = definitions.find(
    (one) => one.spec.group === group && one.spec.names.kind === object.kind,
  )!;
  const { schema } = spec.versions.find(({ name }) => name === version)!;
  return check(object, schema.openAPIV3Schema, object.kind);
}

function check(value: unknown, schema: Schema, at: string): string[] {
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${at}: ${String(value)}`];
  switch (schema.type) {
    case 'object':
      return checkObject(value, schema, at);
    case 'array': {
      if (!Array.isArray(value)) return [`${at} is no list`];
      const { minItems = 0, maxItems = Infinity, items } = schema;
      const size =
        value.length < minItems || value.length > maxItems ? [`${at}: ${value.length}`] : [];
      return [...size, ...value.flatMap((item, n) => check(item, items!, `${at}[${n}]`))];
    }
    case 'string': {
      if (typeof value !== 'string') return [`${at} is no string`];
      const fits = schema.pattern === undefined || new RegExp(schema.pattern).test(value);
      return fits && value.length <= (schema.maxLength ?? Infinity) ? [] : [`${at}: ${value}`];
    }
    case 'integer':
      return Number.isInteger(value) ? [] : [`${at} is no integer`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${at} is no boolean`];
    default:
      return [];
  }
}

function checkObject(value: unknown, schema: Schema, at: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at} is none`];
  const { required = [], properties = {} } = schema;
  const lacking = required.filter((name) => !Object.hasOwn(value, name));
  const known = Object.entries(value).flatMap(([name, field]) => {
    const own = properties[name];
    if (own !== undefined) return check(field, own, `${at}.${name}`);
    return schema.properties === undefined || schema.additionalProperties !== undefined
      ? []
      : [`${at}.${name} is not known`];
  });
  return [...lacking.map((name) => `${at} has no ${name}`), ...known];
}
