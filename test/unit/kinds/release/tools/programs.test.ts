import { describe, expect, it } from 'vitest';

import { checkFound, choosePrograms } from '../../../../../src/kinds/release/tools/choose.ts';
import { type Program, programsOf } from '../../../../../src/kinds/release/tools/programs.ts';

const ALL = { systems: [], architectures: [], rhels: [] };

const names = (programs: readonly Program[]): readonly string[] =>
  programs.map(({ archive }) => archive);

describe('the programs of a release', () => {
  it.each([['amd64'], ['arm64'], ['s390x'], ['ppc64le']])(
    'for %s have one archive each, and one path in their image',
    (architecture) => {
      const programs = programsOf({ version: '4.17.3', architectures: [architecture] });
      expect(new Set(names(programs)).size).toBe(programs.length);
      const places = programs.map(({ component, path }) => `${component} ${path}`);
      expect(new Set(places).size).toBe(places.length);
      const native = programs.filter(({ imageArchitecture }) => imageArchitecture);
      expect(native.every((program) => program.imageArchitecture === architecture)).toBe(true);
      expect(names(programs)).toContain('openshift-install-linux-4.17.3.tar.gz');
      expect(names(programs)).toContain(`openshift-install-rhel9-${architecture}.tar.gz`);
    },
  );

  it('for several architectures name them, all but the first', () => {
    const architectures = ['amd64', 'arm64', 's390x'];
    const programs = programsOf({ version: '4.17.3', architectures });
    expect(new Set(names(programs)).size).toBe(programs.length);
    expect(names(programs)).toEqual(
      expect.arrayContaining([
        'openshift-install-linux-4.17.3.tar.gz',
        'openshift-install-linux-arm64-4.17.3.tar.gz',
        'openshift-install-linux-s390x-4.17.3.tar.gz',
        'ccoctl-linux-s390x-rhel9-4.17.3.tar.gz',
        'openshift-client-linux-ppc64le-4.17.3.tar.gz',
      ]),
    );
    const arm = programs.filter(
      ({ archive }) => archive === 'openshift-client-linux-arm64-4.17.3.tar.gz',
    );
    expect(arm.map(({ component }) => component)).toEqual(['cli']);
  });

  it('before 4.16 have no build for FIPS on RHEL 9', () => {
    const of = (version: string) => names(programsOf({ version, architectures: ['amd64'] }));
    expect(of('4.15.40')).not.toContain('openshift-install-rhel9-amd64.tar.gz');
    expect(of('4.16.0-rc.1')).toContain('openshift-install-rhel9-amd64.tar.gz');
  });

  it('are chosen by RHEL only where there are several builds', () => {
    const programs = programsOf({ version: '4.17.3', architectures: ['amd64'] });
    const chosen = choosePrograms(programs, { ...ALL, architectures: ['amd64'], rhels: ['rhel8'] });
    expect(names(chosen).toSorted()).toEqual([
      'ccoctl-linux-rhel8-4.17.3.tar.gz',
      'openshift-client-linux-amd64-rhel8-4.17.3.tar.gz',
      'openshift-client-mac-4.17.3.tar.gz',
      'openshift-client-windows-4.17.3.zip',
      'openshift-install-linux-4.17.3.tar.gz',
      'openshift-install-mac-4.17.3.tar.gz',
    ]);
    expect(choosePrograms(programs, ALL)).toEqual(programs);
  });

  it('that were asked for and are not there are told, with those that are', () => {
    const programs = programsOf({ version: '4.17.3', architectures: ['amd64'] });
    const linux = programs.filter(({ component }) => component === 'cli-artifacts').slice(3, 6);
    const asked = { systems: ['linux', 'windows'], architectures: ['s390x'], rhels: [] } as const;
    expect(() => {
      checkFound(linux, linux, asked);
    }).toThrow(
      expect.objectContaining({
        code: 'NOT_FOUND',
        expected: 'windows, s390x',
        got: 'linux (aarch64, x86_64 rhel8, x86_64 rhel9)',
      }) as Error,
    );
    expect(() => {
      checkFound([], [], ALL);
    }).toThrow(expect.objectContaining({ code: 'NOT_FOUND', got: 'none' }) as Error);
    expect(() => {
      checkFound(linux, linux, { ...asked, systems: [], architectures: [] });
    }).not.toThrow();
  });
});
