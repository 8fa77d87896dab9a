import { BundleError } from '../../../core/errors.ts';
import { isPassingStatus } from '../../../core/http/backoff.ts';
import { isObject, type Json } from '../../../core/json.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { LASTING_HINTS, toldBy } from '../http/answers.ts';
import { explanationIn, readStart } from '../http/explanation.ts';
import { discard, type HttpResponse, withoutQuery } from '../http/transport.ts';

/** Enough to tell a web page from the answer of a registry. */
const START_BYTES = 4096;
/** Registries of the distribution project and its kin say so. */
const API_VERSION = 'docker-distribution-api-version';

/**
 * What a registry asks of those who come without credentials. Takes the body of its answer to
 * `GET /v2/`.
 * @throws BundleError REGISTRY where a web page or anything else came that no registry sends, and
 * where the registry is not able to answer.
 */
export async function challengesIn(
  response: HttpResponse,
  registry: string,
): Promise<readonly Challenge[]> {
  const { status, headers } = response;
  const challenges = status === 401 ? parseChallenges(headers['www-authenticate']) : [];
  if (challenges.length > 0 || (headers[API_VERSION] !== undefined && status < 500)) {
    await discard(response);
    return challenges;
  }
  const start = await readStart(response, START_BYTES);
  if (isWebPage(response, start)) throw notARegistry(response, registry, 'a web page');
  if (status >= 500 || isPassingStatus(status)) throw notAble(response, registry, start);
  const isSuccess = status >= 200 && status <= 299;
  if (!isSuccess && status !== 401 && !hasErrors(start))
    throw notARegistry(response, registry, 'nothing that a registry says');
  return challenges;
}

function isWebPage({ headers }: HttpResponse, start: string): boolean {
  return /^text\/html\b/i.test(String(headers['content-type'] ?? '')) || /^\s*</.test(start);
}

/** Whether it is the body of a registry's error (distribution-spec, "Error Codes"). */
function hasErrors(start: string): boolean {
  try {
    const document = JSON.parse(start) as Json;
    return isObject(document) && Array.isArray(document['errors']);
  } catch {
    return false;
  }
}

function notARegistry({ status, url }: HttpResponse, registry: string, what: string): BundleError {
  return new BundleError(
    'REGISTRY',
    `${registry} is no container registry: ${withoutQuery(url)} answered ${status} with ${what}`,
    {
      expected: 'the answer of a container registry',
      got: what,
      hint:
        'Check the name and the port: the registry of a product may have its own. If they are ' +
        'right, something on the way answers in its place: a login page of the network, or a proxy.',
    },
  );
}

function notAble(response: HttpResponse, registry: string, start: string): BundleError {
  const explanation = response.explanation ?? explanationIn(start, response);
  const isLong = explanation.lasting === 'long-wait';
  const message = `${withoutQuery(response.url)} answered ${toldBy(response, explanation)}`;
  return new BundleError('REGISTRY', message, {
    hint: isLong
      ? LASTING_HINTS['long-wait']
      : `Try again later, or ask those who run ${registry} to look at its log.`,
  });
}
