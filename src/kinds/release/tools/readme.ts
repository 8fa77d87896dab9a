import { fileNameOf, type Program } from './programs.ts';

/** What each command is for, and where its source is. */
const COMMANDS: Readonly<Record<Program['command'], readonly [string, string]>> = {
  oc: ['the command line client of OpenShift', 'openshift/oc'],
  'openshift-install': ['the installer of OpenShift clusters', 'openshift/installer'],
  'openshift-install-fips': [
    'the installer of OpenShift clusters in FIPS mode, for RHEL 9',
    'openshift/installer',
  ],
  ccoctl: [
    'the tool that prepares cloud credentials of OpenShift clusters',
    'openshift/cloud-credential-operator',
  ],
};

/** The README.md of an archive. Lines end as the system is used to. */
export function readmeOf(program: Program, release: string): string {
  const { system, command, alias } = program;
  const [purpose, source] = COMMANDS[command];
  const file = fileNameOf(program);
  const lines = [
    `# ${command} of OpenShift ${release}`,
    '',
    `\`${file}\` is ${purpose}.`,
    ...(alias === undefined ? [] : [`\`${alias}\` is the same program under another name.`]),
    ...(command === 'oc' && system === 'windows'
      ? ['A copy of it that is called `kubectl.exe` works like `kubectl`.']
      : []),
    '',
    'Put it into a folder of your PATH, or run it where it is.',
    '',
    'Documentation: https://docs.openshift.com',
    `Source: https://github.com/${source} (Apache License 2.0)`,
    '',
  ];
  return lines.join(system === 'windows' ? '\r\n' : '\n');
}
