import { join } from 'node:path';
import { utf8 } from '../core/bytes.ts';
import { hasCode } from '../core/errors.ts';
import { diskError, ofVariable } from '../files/disk-error.ts';
import { MAX_CONFIGURATION_BYTES } from '../core/limits.ts';
import { listFolder } from '../files/folder.ts';
import { ifThere, isFolder, isThere } from '../files/look.ts';
import { readGivenFile } from '../files/small-file.ts';
import { parseRegistriesConf, refused, type RegistriesConf } from './registries-conf-file.ts';
import type { RegistryRule } from './rules.ts';

export interface RegistriesConfOptions {
  /** In place of the main file (`--registries-conf`). */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** The system's folder; tests have one of their own. */
  readonly system?: string;
}

const SYSTEM = '/etc/containers';

/**
 * Reads the registries.conf that podman would: the file that was named, or
 * `$CONTAINERS_REGISTRIES_CONF`, else the user's, else the system's. Then the drop-in folders of the
 * system and of the user; that of the system not where the user has a file. So a file that was
 * named takes the place of the main file alone, and a drop-in that blocks a registry still does. In
 * drop-ins, a later rule takes the place of an earlier one for the same prefix.
 * @throws BundleError NOT_FOUND for a named file that is missing; CONFIGURATION naming file and
 * place; DISK.
 */
export async function loadRegistriesConf({
  file,
  env,
  home,
  system = SYSTEM,
}: RegistriesConfOptions): Promise<RegistriesConf> {
  const given = file ?? env[VARIABLE];
  const named = given === '' ? undefined : given;
  const user = join(home, '.config/containers');
  const isUsers =
    named === undefined &&
    (await ifThere(isThere(join(user, 'registries.conf')), ['EACCES'])) === true;
  const main = named ?? join(isUsers ? user : system, 'registries.conf');
  const isOfVariable = named !== undefined && file === undefined;
  const first = await mainConf(main, named !== undefined).catch((error: unknown) => {
    throw isOfVariable ? ofVariable(error, VARIABLE) : error;
  });
  const confs = [...first];
  const folders = isUsers ? [user] : [system, user];
  for (const folder of folders) {
    for (const path of await dropIns(join(folder, 'registries.conf.d'))) {
      const dropIn = await readText(path, false);
      if (dropIn !== undefined) confs.push(await parseRegistriesConf(dropIn, path, true));
    }
  }
  const rules = new Map<string, RegistryRule>();
  for (const conf of confs) for (const rule of conf.rules) rules.set(rule.prefix, rule);
  const { credentialHelpers = [] } =
    confs.findLast((conf) => conf.credentialHelpers !== undefined) ?? {};
  return {
    rules: [...rules.values()],
    credentialHelpers: credentialHelpers.length === 0 ? undefined : credentialHelpers,
  };
}

const VARIABLE = 'CONTAINERS_REGISTRIES_CONF';

/** The main file, if it is there. */
async function mainConf(path: string, isNamed: boolean): Promise<readonly RegistriesConf[]> {
  const text = await readText(path, isNamed);
  return text === undefined ? [] : [await parseRegistriesConf(text, path)];
}

async function dropIns(folder: string): Promise<readonly string[]> {
  const names = (await ifThere(listFolder(folder), ['ENOENT', 'ENOTDIR'])) ?? [];
  const paths: string[] = [];
  for (const name of names.filter((each) => each.endsWith('.conf'))) {
    const path = join(folder, name);
    if (!(await isFolder(path))) paths.push(path);
  }
  return paths;
}

/** `undefined` where there is no such file, and it does not have to be there. */
async function readText(path: string, isNamed: boolean): Promise<string | undefined> {
  try {
    const content = await ifThere(readGivenFile(path, MAX_CONFIGURATION_BYTES));
    if (content !== undefined) return utf8(content);
  } catch (error) {
    throw hasCode(error, 'CONFIGURATION') ? refused(path, error.message) : error;
  }
  if (!isNamed) return undefined;
  throw diskError('read', path, Object.assign(new Error(), { code: 'ENOENT' }));
}
