import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { digestOf } from '../../../../../src/core/digest.ts';
import type { Progress } from '../../../../../src/cli/present/progress/drawing.ts';
import { createProgress } from '../../../../../src/cli/present/progress/progress.ts';
import { NO_WISHES, screenOf } from '../../../../../src/cli/present/screen.ts';

/** More than any run of these tests draws, and less than a loop without end does. */
const ENDLESS = 10_000;

interface TestTerminal extends NodeJS.WriteStream {
  moved: number;
  readonly written: string[];
}

/** A terminal that says it has so many columns. */
function terminalOf(columns: number, isTTY = true): TestTerminal {
  const written: string[] = [];
  const terminal = Object.assign(new PassThrough(), {
    ...{ columns, rows: 0, isTTY, moved: 0, written },
    cursorTo: () => true,
    clearLine: () => true,
    clearScreenDown: () => true,
    moveCursor: () => {
      terminal.moved += 1;
      if (terminal.moved > ENDLESS) throw new Error('clears lines without end');
      return true;
    },
  });
  terminal.on('data', (data: Buffer) => written.push(data.toString()));
  return terminal as unknown as TestTerminal;
}

/** The lines on it that were drawn last. */
function drawn({ written }: TestTerminal): readonly string[] {
  const frames = written
    .map((text) => stripVTControlCharacters(text).replace(/^[^a-z0-9]*$/i, ''))
    .filter((text) => text !== '');
  return (frames.at(-1) ?? '').split('\n').map((line) => line.slice(3));
}

async function progressOn(
  terminal: TestTerminal,
  env: Readonly<Record<string, string>> = { TERM: 'xterm', LANG: 'C.UTF-8' },
): Promise<Progress> {
  const screen = screenOf(terminal, { env }, NO_WISHES);
  return createProgress({ mode: 'auto', level: 'info' }, { stream: terminal, screen }, { env });
}

const BLOB = { digest: digestOf('blob'), bytes: 100_000_000, image: 'etcd' };

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setInterval', 'clearInterval', 'setTimeout', 'performance', 'Date'],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('progress on a terminal', () => {
  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 0.5, 80])(
    'ends whatever columns it has: %s',
    async (columns) => {
      const terminal = terminalOf(columns);
      const progress = await progressOn(terminal);
      progress.observe({ type: 'phase', what: 'opening' });
      progress.observe({ type: 'phase', what: 'hashing '.repeat(20) }); // two lines of 80
      progress.observe({ type: 'planned', blobs: 1, bytes: 1, images: 1 });
      progress.observe({ type: 'noticed', code: 'left-out', cause: 'something' });
      vi.advanceTimersByTime(1000);
      progress.stop();
      expect(terminal.columns).toBe(80);
      expect(terminal.moved).toBeGreaterThan(0);
      expect(terminal.written.join('')).toContain('left out: something\n');
    },
  );

  it('tells once what several steps of a run find', async () => {
    const terminal = terminalOf(80, false);
    const progress = await progressOn(terminal);
    const aside = { type: 'noticed', code: 'receipt-left-aside', cause: 'no key' } as const;
    progress.observe({ ...aside, receipts: ['a'] });
    progress.observe({ ...aside, receipts: ['a'] });
    progress.observe({ ...aside, receipts: ['b', 'c'] });
    progress.stop();
    expect(terminal.written.join('')).toBe(
      'a is not counted: no key\n2 receipts are not counted, such as b: no key\n',
    );
  });

  it('follows a terminal that is given another size, but to none', async () => {
    const terminal = terminalOf(0);
    const progress = await progressOn(terminal);
    const seen = [120, 0, 40].map((columns) => {
      terminal.columns = columns;
      return terminal.columns;
    });
    progress.stop();
    expect(seen).toEqual([120, 80, 40]);
  });

  it('takes off the rows into which a narrower terminal has broken its lines', async () => {
    const terminal = terminalOf(120);
    const [clear, move] = [vi.spyOn(terminal, 'clearScreenDown'), vi.spyOn(terminal, 'moveCursor')];
    const progress = await progressOn(terminal);
    progress.observe({ type: 'planned', blobs: 9, bytes: 903_700_000, images: 1 });
    progress.observe({ type: 'phase', what: 'hashing every layer' });
    vi.advanceTimersByTime(1000);
    const resize = (columns: number): void => {
      terminal.columns = columns;
      terminal.emit('resize');
    };
    resize(200);
    expect(clear).not.toHaveBeenCalled();
    resize(30);
    expect(clear).toHaveBeenCalledTimes(1);
    expect(move.mock.calls.some(([, rows]) => rows < -1)).toBe(true);
    progress.stop();
    resize(20);
    expect(clear).toHaveBeenCalledTimes(1);
  });

  it.each([20, 40, 60, 80, 120])('keeps its lines shorter than %s columns', async (columns) => {
    const terminal = terminalOf(columns);
    const progress = await progressOn(terminal);
    progress.observe({ type: 'planned', blobs: 9, bytes: 903_700_000_000, images: 1 });
    progress.observe({ type: 'phase', what: 'copying to registry.example.com:5000/ocp4' });
    progress.observe({ type: 'started', ...BLOB, image: '4.17.3-x86_64-'.repeat(9) });
    for (let second = 0; second < 4; second += 1) {
      progress.observe({ type: 'advanced', bytes: 90_000_000 });
      vi.advanceTimersByTime(1000);
    }
    const lines = drawn(terminal);
    progress.stop();
    expect(lines).toHaveLength(2);
    expect(lines.filter((line) => line.length > columns - 6)).toEqual([]);
    expect(lines[0]).toContain('0%');
  });

  it('redraws at most ten times a second, whatever happens', async () => {
    const terminal = terminalOf(80);
    const progress = await progressOn(terminal);
    progress.observe({ type: 'planned', blobs: 9, bytes: 1e9, images: 1 });
    vi.advanceTimersByTime(1000);
    const frames = (): number => terminal.written.filter((text) => text.includes('?2026h')).length;
    const before = frames();
    for (let step = 0; step < 1000; step += 1) {
      progress.observe({ type: 'advanced', bytes: 100 });
      progress.observe({ type: 'phase', what: `step ${step}` });
      vi.advanceTimersByTime(1);
    }
    expect(frames() - before).toBeLessThanOrEqual(10);
    progress.stop();
  });

  it('shows a retry while it lasts, and what came afterwards', async () => {
    const terminal = terminalOf(80);
    const progress = await progressOn(terminal);
    progress.observe({ type: 'planned', blobs: 2, bytes: 2e8, images: 1 });
    progress.observe({ type: 'phase', what: 'copying' });
    progress.observe({ type: 'started', ...BLOB });
    const retried = { what: 'GET /v2/', cause: 'reset', attempt: 2, delayMs: 4000 };
    progress.observe({ type: 'retried', ...retried });
    vi.advanceTimersByTime(1000);
    expect(drawn(terminal)[1]).toBe('retry 2: GET /v2/: reset');
    progress.observe({ type: 'advanced', bytes: 1000 });
    vi.advanceTimersByTime(1000);
    expect(drawn(terminal)[1]).toBe('copying: etcd');
    progress.stop();
  });

  it('says how long a retry is waited for, where that is long', async () => {
    const terminal = terminalOf(80);
    const progress = await progressOn(terminal);
    progress.observe({ type: 'planned', blobs: 2, bytes: 2e8, images: 1 });
    const retried = { what: 'GET /v2/', cause: 'status 429', attempt: 1, delayMs: 200_000 };
    progress.observe({ type: 'retried', ...retried });
    vi.advanceTimersByTime(20_000);
    expect(drawn(terminal)[1]).toBe('retry 1 in 3 min 0 s: GET /v2/: status 429');
    vi.advanceTimersByTime(179_000);
    expect(drawn(terminal)[1]).toBe('retry 1: GET /v2/: status 429');
    progress.stop();
  });

  it('draws nothing after it was stopped', async () => {
    const terminal = terminalOf(80);
    const progress = await progressOn(terminal);
    progress.observe({ type: 'phase', what: 'opening' });
    progress.stop();
    const { length } = terminal.written;
    progress.observe({ type: 'phase', what: 'hashing' });
    vi.advanceTimersByTime(1000);
    expect(terminal.written).toHaveLength(length);
  });

  it('has no escape codes for colours with NO_COLOR, and no braille in the C locale', async () => {
    const text = async (env: Record<string, string>): Promise<string> => {
      const terminal = terminalOf(80);
      const progress = await progressOn(terminal, { TERM: 'xterm', ...env });
      progress.observe({ type: 'planned', blobs: 2, bytes: 2e8, images: 1 });
      vi.advanceTimersByTime(1000);
      progress.stop();
      return terminal.written.join('');
    };
    expect(await text({ LANG: 'C.UTF-8' })).toMatch(/\u2591/);
    // eslint-disable-next-line no-control-regex -- escape codes are what is looked for
    const colors = /\u001b\[[0-9;]*m/;
    expect(await text({ LANG: 'C.UTF-8' })).toMatch(colors);
    expect(await text({ LANG: 'C.UTF-8', NO_COLOR: '1' })).not.toMatch(colors);
    // eslint-disable-next-line no-control-regex -- ASCII is what is looked for
    expect(await text({ LANG: 'C.UTF-8', LC_ALL: 'C' })).toMatch(/^[\x00-\x7f]*$/);
  });
});

describe('progress where nothing can be drawn', () => {
  it.each([
    { where: 'no terminal', isTTY: false, env: {} },
    { where: 'TERM=dumb', isTTY: true, env: { TERM: 'dumb' } },
    { where: 'CI', isTTY: true, env: { TERM: 'xterm', CI: 'true' } },
  ])('is a line for each phase, and one every ten seconds: $where', async ({ isTTY, env }) => {
    const terminal = terminalOf(80, isTTY);
    const progress = await progressOn(terminal, env);
    progress.observe({ type: 'planned', blobs: 2, bytes: 2e8, images: 1 });
    progress.observe({ type: 'phase', what: 'hashing' });
    progress.observe({ type: 'started', ...BLOB });
    for (let step = 0; step < 95; step += 1) {
      progress.observe({ type: 'advanced', bytes: 1_000_000 });
      vi.advanceTimersByTime(100);
    }
    expect(terminal.written).toEqual(['hashing\n']);
    vi.advanceTimersByTime(500);
    vi.advanceTimersByTime(10_000);
    progress.stop();
    expect(terminal.written.slice(1)).toEqual([
      expect.stringMatching(/^hashing: 47%, 95\.0 MB of 200\.0 MB, .* MB\/s, .* left\n$/),
      'hashing: 47%, 95.0 MB of 200.0 MB, nothing came for 11 s\n',
    ]);
  });

  it('says that a phase without bytes still goes on, and how far it is', async () => {
    const terminal = terminalOf(80, false);
    const progress = await progressOn(terminal, {});
    progress.observe({ type: 'phase', what: 'reading the manifests' });
    vi.advanceTimersByTime(10_000);
    progress.observe({ type: 'counted', what: 'manifests', done: 312, total: 549 });
    vi.advanceTimersByTime(10_000);
    progress.stop();
    expect(terminal.written).toEqual([
      'reading the manifests\n',
      'reading the manifests: for 10 s\n',
      'reading the manifests: 312 of 549 manifests, nothing came for 10 s\n',
    ]);
  });
});
