import { utf8 } from '../../core/bytes.ts';
import { BundleError } from '../../core/errors.ts';
import { MAX_PASSWORD_BYTES } from '../../core/limits.ts';
import { flag, requiredText, text } from '../arguments.ts';
import { ask, askHidden, canAsk } from '../ask.ts';
import type { Arguments, Command } from '../command.ts';
import type { Io } from '../io.ts';
import { connectionRequest, loginOptions } from '../options/network.ts';
import { emptyStdin, readStdin } from '../pipes.ts';

const REGISTRY = {
  REGISTRY: {
    type: 'string',
    demandOption: true,
    describe: 'HOST[:PORT], or HOST[:PORT]/PATH for repositories below that path',
  },
} as const;

export const loginCommand: Command = {
  examples: [
    ['$0 login quay.io', 'asks for user name and password'],
    [
      '$0 login registry.example.com:5000 --username packer --password-stdin < password.txt',
      'in a script',
    ],
    [
      '$0 login quay.io/team --authfile team.json',
      'for repositories below quay.io/team only, in another file',
    ],
  ],
  positionals: REGISTRY,
  options: {
    username: {
      alias: 'u',
      type: 'string',
      requiresArg: true,
      describe: 'user name (default: the program asks)',
    },
    'password-stdin': {
      type: 'boolean',
      describe: 'read the password from stdin (default: the program asks, and does not show it)',
    },
    ...loginOptions,
  },
  async run(args, context, io) {
    const place = requiredText(args, 'REGISTRY');
    const { login, meetRegistry } = await import('../../workflows/login.ts');
    const connection = connectionRequest(args);
    const meet = async (): Promise<void> => meetRegistry(place, connection, context);
    const { username, password } = await credentials(args, io, place, meet);
    const report = await login(
      {
        place,
        username,
        password,
        authfile: text(args, 'authfile'),
        connection,
      },
      context,
    );
    return {
      json: report,
      report: () => [
        [
          report.checked
            ? { verdict: `Logged in to ${report.place} as ${report.username}`, mood: 'good' }
            : {
                verdict:
                  `Stored, not checked: ${report.place} does not ask ${report.username} ` +
                  'for credentials',
                mood: 'warning',
              },
        ],
        [
          {
            text:
              'If these credentials can push, do not put them into a pull secret: ' +
              'clusters must only pull.',
          },
        ],
        [
          {
            facts: [
              [
                'stored in',
                report.helper === undefined
                  ? report.file
                  : `docker-credential-${report.helper}, as ${report.file} says`,
              ],
            ],
          },
        ],
      ],
    };
  },
};

export const logoutCommand: Command = {
  examples: [['$0 logout quay.io', 'from the file that login writes']],
  positionals: REGISTRY,
  options: { authfile: loginOptions['authfile']! },
  async run(args, context) {
    const { logout } = await import('../../workflows/login.ts');
    const { place, file } = await logout(
      { place: requiredText(args, 'REGISTRY'), authfile: text(args, 'authfile') },
      context,
    );
    const done = `logged out of ${place} (${file})`;
    return { json: { place, file }, report: () => [[{ text: done }]] };
  },
};

/** @param meet is awaited before somebody is asked for anything. */
async function credentials(
  args: Arguments,
  io: Io,
  place: string,
  meet: () => Promise<void>,
): Promise<{ username: string; password: string }> {
  const given = text(args, 'username');
  if (flag(args, 'password-stdin')) {
    if (given === undefined) {
      throw new BundleError('USAGE', '--password-stdin needs --username', {
        hint: 'Write, for example: bundle login … --username USER --password-stdin < FILE',
      });
    }
    const found = emptyStdin();
    if (found !== undefined) {
      throw new BundleError('USAGE', `cannot read the password from stdin, which is ${found}`, {
        hint: 'Write, for example: bundle login … --password-stdin < FILE',
      });
    }
    const password = utf8(await readStdin(io, MAX_PASSWORD_BYTES, 'the password')).replace(
      /\r?\n$/,
      '',
    );
    return checked(given, password);
  }
  if (!canAsk(io)) {
    throw new BundleError('USAGE', 'cannot ask for a password: stdin is not a terminal', {
      hint: 'Write --username USER --password-stdin < FILE.',
    });
  }
  await meet();
  const username = given ?? (await ask(io, `user name at ${place}: `, 'user name'));
  return checked(username, await askHidden(io, `password of ${username}: `, 'password'));
}

/** A colon ends the user name in an auth file. */
function checked(username: string, password: string): { username: string; password: string } {
  if (username === '' || username.includes(':'))
    throw new BundleError('USAGE', 'a user name must not be empty or hold a colon', {
      hint: 'Give the name alone. The password is asked for, or read with --password-stdin.',
    });
  if (password === '') {
    throw new BundleError('USAGE', 'the password is empty', {
      hint: 'Nothing was kept. With --password-stdin, see what the file or the program gives.',
    });
  }
  return { username, password };
}
