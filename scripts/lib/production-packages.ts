/** The part of package-lock.json that says where a package is and what it needs. */
export interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly dependencies?: Readonly<Record<string, string>> } | undefined>
  >;
}

/**
 * Needed to install zstd-napi and by compilers; or taken by the runtime Bare alone, which is not
 * Node.
 */
const NEVER_LOADED = /^(prebuild-install|node-addon-api|@types\/.*|bare-.*)$/;

/**
 * Folders (`node_modules/…`) of the packages that the program loads when it runs, sorted.
 * @throws Error when the lock does not name where a dependency is.
 */
export function productionPackages({ packages }: Lock): readonly string[] {
  const found = new Set<string>();
  const visit = (folder: string): void => {
    for (const name of Object.keys(packages[folder]?.dependencies ?? {})) {
      if (NEVER_LOADED.test(name)) continue;
      const target = resolve(name, folder);
      if (found.has(target)) continue;
      found.add(target);
      visit(target);
    }
  };

  /** As Node looks for packages: in the nearest node_modules first. */
  const resolve = (name: string, from: string): string => {
    for (
      let folder = from;
      ;
      folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
    ) {
      const target = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
      if (packages[target] !== undefined) return target;
      if (folder === '')
        throw new Error(
          `package-lock.json does not say where ${name} is, which ${from || 'the project'} needs`,
        );
    }
  };
  visit('');
  return [...found].sort();
}
