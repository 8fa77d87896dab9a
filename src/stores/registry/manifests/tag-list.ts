import { utf8 } from '../../../core/bytes.ts';
import { BundleError } from '../../../core/errors.ts';
import { isObject, type Json } from '../../../core/json.ts';
import {
  MAX_TAG_PAGE_BYTES,
  MAX_TAG_PAGES,
  MAX_TAGS_BYTES,
  MAX_THIN_TAG_PAGES,
  MIN_TAGS_PER_PAGE,
} from '../../../core/limits.ts';
import { formatRepository, isTag } from '../../../core/reference.ts';
import { serverText } from '../../../core/http/secrets.ts';
import { pathOf, type RepositoryAccess } from '../auth/access.ts';
import { nextPage } from '../http/next-page.ts';
import { discard } from '../http/transport.ts';
import { readWhole } from '../http/whole.ts';

const PAGE = 1000;
/** Every so many pages it is told how many tags there are so far. */
const TOLD_PAGES = 10;

/**
 * All tags, page by page (distribution-spec, "Listing Tags"); none where the repository does not
 * exist. What is listed and cannot be a tag is left out. A page that brings nothing new is the last
 * one, even if it names a next one: registries do that.
 * @param mustEnd refuses such a page: nobody knows whether the list is whole then.
 * @throws BundleError REGISTRY for more than {@link MAX_TAGS_BYTES} of them, or a list without end.
 */
export async function listTags(
  access: RepositoryAccess,
  { signal, mustEnd = false }: { readonly signal?: AbortSignal; readonly mustEnd?: boolean } = {},
): Promise<readonly string[]> {
  const name = formatRepository(access.name);
  const action = `list the tags of ${name}`;
  const tags = new Set<string>();
  let size = 0;
  let next: string | URL | undefined = `/v2/${pathOf(access.name)}/tags/list?n=${PAGE}`;
  for (let page = 0; next !== undefined; page++) {
    if (isEndless(page, tags.size)) {
      throw new BundleError(
        'REGISTRY',
        `cannot ${action}: the list does not end: ${page} pages have ${tags.size} tags`,
        { hint: 'The registry, or a proxy before it, always names a next page. See its log.' },
      );
    }
    if (page > 0 && page % TOLD_PAGES === 0) {
      const count = tags.size.toLocaleString('en-US');
      access.transport.tellPhase(`reading the tags of ${name}: ${count}`);
    }
    const to: string | URL = next;
    const { response, body } = await readWhole(
      async () => access.send({ method: 'GET', to, action, access: 'pull', signal }),
      {
        transport: access.transport,
        limit: MAX_TAG_PAGE_BYTES,
        what: `the tag list of ${name}`,
        signal,
      },
    );
    if (response.status === 404) {
      await discard(response);
      break;
    }
    if (body === undefined) throw await access.failure(response, action);
    const known = tags.size;
    const listed = parseTags(body, action);
    for (const tag of listed) {
      if (!isTag(tag) || tags.has(tag)) continue;
      tags.add(tag);
      size += tag.length;
    }
    if (size > MAX_TAGS_BYTES) {
      throw new BundleError(
        'REGISTRY',
        `cannot ${action}: its ${tags.size} tags take more than ${MAX_TAGS_BYTES} bytes`,
      );
    }
    next = nextPage(response);
    if (next === undefined || tags.size > known) continue;
    if (mustEnd)
      throw new BundleError('REGISTRY', `cannot ${action}: its pages lead back to themselves`);
    next = undefined;
  }
  return [...tags];
}

function isEndless(pages: number, tags: number): boolean {
  if (pages >= MAX_TAG_PAGES) return true;
  return pages > MAX_THIN_TAG_PAGES && tags < pages * MIN_TAGS_PER_PAGE;
}

function parseTags(bytes: Uint8Array, action: string): readonly string[] {
  let document: Json | undefined;
  try {
    document = JSON.parse(utf8(bytes)) as Json;
  } catch {
    document = undefined;
  }
  const tags = isObject(document) ? (document['tags'] ?? []) : undefined;
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
    throw new BundleError(
      'REGISTRY',
      `cannot ${action}: the answer is no list of tags: ${serverText(utf8(bytes), 80)}`,
    );
  }
  return tags;
}
