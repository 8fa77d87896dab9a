import { BundleError, hasCode } from '../core/errors.ts';

/**
 * A refusal of a target (401, 403, 404) may mean that a project or a repository has to be made
 * first: behind the cause its hint names all of the repositories, so that the second is not found out after the
 * first.
 */
export function namingAll(error: unknown, repositories: readonly string[]): unknown {
  if (!hasCode(error, 'NOT_ALLOWED') && !hasCode(error, 'NOT_FOUND')) return error;
  const [what, verb] =
    repositories.length === 1
      ? ['The repository', 'has']
      : [repositories.length === 2 ? 'Both' : 'All of', 'have'];
  const need =
    `${what} ${repositories.join(' and ')} ${verb} to exist or to be created by a push, ` +
    'and the credentials have to allow that.';
  const { code, message, cause, expected, got, subject } = error;
  return new BundleError(code, message, {
    hint: `${error.hint ?? ''} ${need}`.trim(),
    cause,
    expected,
    got,
    subject,
  });
}
