import { headerOf, type HttpResponse } from './transport.ts';

/**
 * The target of `Link: <…>; rel="next"` (RFC 8288), absolute or relative to the page it came with.
 */
export function nextPage(response: HttpResponse): URL | undefined {
  const target = /<([^>]*)>[^,]*;\s*rel="?next"?/i.exec(headerOf(response, 'link') ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, response.url.href)) return undefined;
  return new URL(target, response.url);
}
