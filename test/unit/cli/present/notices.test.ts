import { expect, it } from 'vitest';

import { noticeText } from '../../../../src/cli/present/notices.ts';

it.each([
  [1, 'volume 1 of 4 was written earlier, '],
  [2, 'volumes 1 and 2 of 4 were written earlier, '],
  [3, 'volumes 1 to 3 of 4 were written earlier, '],
])('%d volumes that earlier runs have written are named', (done, text) => {
  const notice = {
    code: 'volumes-written-earlier',
    done,
    count: 4,
    folders: ['/media/a'],
  } as const;
  expect(noticeText(notice)).toContain(text);
});
