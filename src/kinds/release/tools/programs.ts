import { compareVersions } from '../../../updates/version-order.ts';
import type { Rhel, System } from './systems.ts';

/** A program of a release: where it is, and the archive that it goes into. */
export interface Program {
  readonly system: System;
  /** As in image configs (GOARCH). */
  readonly architecture: string;
  readonly rhel?: Rhel;
  /** The component whose image has it. */
  readonly component: string;
  /** The architecture of the image, where it has only programs of its own architecture. */
  readonly imageArchitecture?: string;
  /** Its path in that image. */
  readonly path: string;
  /** The file name of the archive, which is that of the official download site. */
  readonly archive: string;
  /** Its name in the archive, without `.exe`. */
  readonly command: 'oc' | 'openshift-install' | 'openshift-install-fips' | 'ccoctl';
  /** Another name for it in the archive. */
  readonly alias?: string;
  /** Not each release has it: that it is not there is worth no word. */
  readonly isOptional: boolean;
}

/** Its name in the archive. */
export function fileNameOf({ system, command }: Pick<Program, 'system' | 'command'>): string {
  return system === 'windows' ? `${command}.exe` : command;
}

/** What the programs of a release depend on. */
export interface ProgramsOf {
  readonly version: string;
  /** The architectures of its images (GOARCH), the one whose archives need no name of it first. */
  readonly architectures: readonly string[];
}

/** Client programs for Linux are in `cli-artifacts` for each of these. */
const LINUX = ['amd64', 'arm64', 'ppc64le', 's390x'];
/** Since this version there is a build of its own for RHEL 9 whose cryptography is that of RHEL. */
const FIRST_WITH_RHEL9 = '4.16.0-0';

/**
 * The programs that a release may have, each archive once. The table is that of `oc adm release
 * extract --tools` (openshift/oc, pkg/cli/admin/release/extract_tools.go), which calls it an
 * interface that must not change.
 */
export function programsOf({ version, architectures }: ProgramsOf): readonly Program[] {
  const own = architectures.flatMap((architecture, index) =>
    ownPrograms(version, architecture, index === 0),
  );
  const all = [...own, ...clientPrograms(version), ...installPrograms(version)];
  const isOwn = (program: Program): boolean =>
    own.some(
      ({ system, architecture, rhel, command }) =>
        system === program.system &&
        architecture === program.architecture &&
        rhel === program.rhel &&
        command === program.command,
    );
  return all.filter((program) => own.includes(program) || !isOwn(program));
}

/** Those that are built for the nodes of the release too, in images of their own. */
function ownPrograms(version: string, architecture: string, isFirst: boolean): readonly Program[] {
  const called = isFirst ? 'linux' : `linux-${architecture}`;
  const image = { architecture, imageArchitecture: architecture };
  const base = { ...image, system: 'linux', isOptional: false } as const;
  const installer = 'usr/bin/openshift-install';
  const hasRhel9 = compareVersions(version, FIRST_WITH_RHEL9) >= 0;
  return [
    {
      ...base,
      ...{ component: 'cli', path: 'usr/bin/oc', command: 'oc', alias: 'kubectl' },
      archive: `openshift-client-${called}-${version}.tar.gz`,
    },
    {
      ...base,
      ...{ component: 'installer', path: installer, command: 'openshift-install' },
      archive: `openshift-install-${called}-${version}.tar.gz`,
    },
    ...(hasRhel9 ? [fipsInstaller(architecture)] : []),
    ...([undefined, 'rhel8', 'rhel9'] as const).map((rhel): Program => ({
      ...base,
      ...(rhel && { rhel }),
      component: 'cloud-credential-operator',
      path: `usr/bin/ccoctl${rhel ? `.${rhel}` : ''}`,
      command: 'ccoctl',
      archive: `ccoctl-${called}-${rhel ? `${rhel}-` : ''}${version}.tar.gz`,
      isOptional: true,
    })),
  ];
}

/** The installer for clusters in FIPS mode: the only one that is built on RHEL. */
function fipsInstaller(architecture: string): Program {
  return {
    system: 'linux',
    architecture,
    imageArchitecture: architecture,
    rhel: 'rhel9',
    component: 'baremetal-installer',
    path: 'usr/bin/openshift-install',
    archive: `openshift-install-rhel9-${architecture}.tar.gz`,
    command: 'openshift-install-fips',
    isOptional: true,
  };
}

function clientPrograms(version: string): readonly Program[] {
  const of = (
    system: System,
    architecture: string,
    folder: string,
    called: string,
  ): Omit<Program, 'isOptional'> => ({
    ...{ system, architecture, component: 'cli-artifacts', command: 'oc' },
    ...(system !== 'windows' && { alias: 'kubectl' }),
    path: `usr/share/openshift/${folder}/${fileNameOf({ system, command: 'oc' })}`,
    archive: `openshift-client-${called}-${version}.${system === 'windows' ? 'zip' : 'tar.gz'}`,
  });
  return [
    { ...of('mac', 'amd64', 'mac', 'mac'), isOptional: false },
    { ...of('mac', 'arm64', 'mac_arm64', 'mac-arm64'), isOptional: true },
    { ...of('windows', 'amd64', 'windows', 'windows'), isOptional: false },
    ...LINUX.flatMap((architecture): readonly Program[] => {
      const plain = of('linux', architecture, `linux_${architecture}`, `linux-${architecture}`);
      return [
        { ...plain, isOptional: architecture !== 'amd64' },
        ...(['rhel8', 'rhel9'] as const).map((rhel) => ({
          ...plain,
          ...{ rhel, path: `${plain.path}.${rhel}`, isOptional: true },
          archive: `openshift-client-linux-${architecture}-${rhel}-${version}.tar.gz`,
        })),
      ];
    }),
  ];
}

function installPrograms(version: string): readonly Program[] {
  const of = (
    system: System,
    architecture: string,
    folder: string,
    called: string,
  ): Omit<Program, 'isOptional'> => ({
    ...{ system, architecture, component: 'installer-artifacts', command: 'openshift-install' },
    path: `usr/share/openshift/${folder}/openshift-install`,
    archive: `openshift-install-${called}-${version}.tar.gz`,
  });
  return [
    { ...of('mac', 'amd64', 'mac', 'mac'), isOptional: false },
    { ...of('mac', 'arm64', 'mac_arm64', 'mac-arm64'), isOptional: true },
    { ...of('linux', 'amd64', 'linux_amd64', 'linux-amd64'), isOptional: true },
    { ...of('linux', 'arm64', 'linux_arm64', 'linux-arm64'), isOptional: true },
  ];
}
