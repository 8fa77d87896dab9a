import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { parseSigned } from '../../src/receipts/signed.ts';
import { describeWith } from '../support/needs.ts';
import { showOnTerminal } from '../support/terminal.ts';
import { twoSides, type TwoSides } from '../support/two-sides.ts';

/** A print of 150 dpi, photographed aslant, a little out of focus, and saved with losses. */
const PHOTOGRAPH = [
  ...['-colorspace', 'Gray', '-depth', '8', '-filter', 'Box', '-resize', '50%'],
  ...['-background', 'grey80', '-virtual-pixel', 'white', '-rotate', '17', '-blur', '0x1.2'],
  ...['-distort', 'Perspective', '0,0 25,35  1000,0 970,10  0,800 10,780  1000,800 950,760'],
  ...['-attenuate', '0.2', '+noise', 'Gaussian', '-quality', '50'],
];

describeWith(['docker-registry'], 'a receipt on paper', () => {
  let sides: TwoSides;
  let receipts: string;
  let original: string;
  let paper: readonly string[];
  const path = (name: string): string => join(sides.folder, name);
  beforeAll(async () => {
    sides = await twoSides('paper', { version: '4.17.3', components: 2, scale: 0.0001 });
    const { packer, operator, medium, fetching, trust, target } = sides;
    await packer.json(['pack', '4.17.3', '-o', medium, ...fetching]);
    receipts = path('receipts');
    const report = (await operator.json([
      ...['unpack', medium, '--to', `${target.host}/ocp4`, ...trust],
      ...['--resources-dir', path('resources'), '--receipt', receipts, '--site', 'plant-a', '--qr'],
    ])) as { readonly receipt: { readonly path: string; readonly paper: readonly string[] } };
    original = report.receipt.path;
    paper = report.receipt.paper;
  });
  afterAll(() => sides.remove());

  const pictures = (): readonly string[] => paper.filter((file) => file.endsWith('.png'));
  /** That the file that was written is the receipt to the byte. */
  const isTheSame = async (folder: string): Promise<void> => {
    const name = basename(original);
    expect(await readdir(folder)).toEqual([name]);
    expect(await readFile(join(folder, name))).toEqual(await readFile(original));
  };

  it('is written beside the file: pictures, and lines', async () => {
    expect(pictures().length).toBeGreaterThanOrEqual(3);
    const files = [basename(original), ...paper.map((file) => basename(file))].sort();
    expect((await readdir(receipts)).sort()).toEqual(files);
    const shown = path('shown');
    const again = ['receipt', 'show', original, '--qr', '-o', shown];
    expect((await sides.operator.bundle(again)).status).toBe(0);
    for (const file of paper)
      expect(await readFile(join(shown, basename(file)))).toEqual(await readFile(file));
    expect((await sides.operator.bundle(['receipt', 'show', original, '-o', shown])).status).toBe(
      2,
    );
  });

  it('is shown in the terminal, with the lines below', async () => {
    const { stdout, status } = await sides.operator.bundle(['receipt', 'show', original, '--qr']);
    expect(status).toBe(0);
    expect(stdout).toContain('spare code');
    expect(stdout).toContain('▀');
    expect(stdout).toContain(await readFile(paper.at(-1)!, 'utf8').then((text) => text.trim()));
  });

  it('is read from its pictures, and is the same to the byte', async () => {
    const out = path('scanned');
    const trusted = ['--trusted-key', sides.operator.publicKey];
    const scan = ['receipt', 'scan', ...pictures(), '-o', out, ...trusted];
    const ran = await sides.packer.bundle(scan);
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout).not.toContain('NOT PROVEN');
    await isTheSame(out);
    const checked = await sides.packer.bundle([
      ...['receipt', 'check', join(out, basename(original)), ...trusted],
    ]);
    expect(checked.status).toBe(0);
  });

  it('is read without any one of its codes, and without two not', async () => {
    const out = path('without-one');
    const [first, ...others] = pictures();
    expect((await sides.packer.bundle(['receipt', 'scan', ...others, '-o', out])).status).toBe(0);
    await isTheSame(out);
    const lacking = await sides.packer.bundle([
      ...['receipt', 'scan', first!, first!, '-o', path('nothing')],
    ]);
    expect(lacking.status).toBe(23);
    expect(lacking.stderr).toMatch(/codes? 2.* missing/);
    const text = await sides.packer.bundle(['receipt', 'scan', paper.at(-1)!]);
    expect(text.status).toBe(20);
  });

  it('is read as it was typed, and a wrong line is named', async () => {
    const typed = paper.at(-1)!;
    const out = path('typed');
    const enter = ['receipt', 'enter', typed, '-o', out];
    expect(await sides.packer.bundle(enter)).toMatchObject({ status: 0 });
    await isTheSame(out);
    const piped = path('piped');
    const input = (await readFile(typed, 'utf8')).toLowerCase();
    const ran = await sides.packer.bundle(['receipt', 'enter', '-', '-o', piped], { input });
    expect(ran.status).toBe(0);
    await isTheSame(piped);
    const wrong = input.replace(
      /^(03.*)(.)$/m,
      (_, line, last) => `${line}${last === 'a' ? 'b' : 'a'}`,
    );
    const file = path('wrong.txt');
    await writeFile(file, wrong);
    const refused = await sides.packer.bundle(['receipt', 'enter', file, '-o', path('none')]);
    expect(refused.status).toBe(20);
    expect(refused.stderr).toContain('line 03 is mistyped');
    const cut = await sides.packer.bundle(['receipt', 'enter', '-', '-o', path('none')], {
      input: input.split('\n').slice(0, 5).join('\n'),
    });
    expect(cut.status).toBe(23);
  });

  describeWith(['python3'], 'in a terminal', () => {
    it('is asked for line by line, and a wrong line again', async () => {
      const lines = (await readFile(paper.at(-1)!, 'utf8'))
        .split('\n')
        .filter((l) => /^\d/.test(l));
      const [first, second, ...rest] = lines;
      const wrong = second!.replace(/.$/, (last) => (last === '7' ? '8' : '7'));
      const bare = rest.map((line) => line.slice(2));
      const out = path('asked-for');
      const { status, written } = await showOnTerminal(['receipt', 'enter', '-o', out], {
        columns: 80,
        env: {},
        cwd: sides.folder,
        answer: { after: 'line 00: ', text: `${[first, wrong, second, ...bare].join('\n')}\n` },
      });
      expect(written).toContain('line 01 is mistyped');
      expect(status).toBe(0);
      await isTheSame(out);
    });
  });

  it('is not proven if its key is not known', async () => {
    const { receipt } = parseSigned(await readFile(original), original);
    expect(receipt.site).toBe('plant-a');
    const out = path('unknown');
    const ran = await sides.packer.bundle(['receipt', 'scan', ...pictures(), '-o', out]);
    expect(ran.stdout).toContain('NOT PROVEN');
    const checked = await sides.packer.bundle(['receipt', 'check', join(out, basename(original))]);
    expect(checked.status).toBe(21);
  });

  describeWith(['mogrify', 'montage'], 'photographed', () => {
    it('is read from prints of 150 dpi, turned, blurred, aslant and noisy, with a code torn', async () => {
      const folder = path('photographs');
      await mkdir(folder);
      for (const picture of pictures()) await copyFile(picture, join(folder, basename(picture)));
      const names = pictures().map((picture) => basename(picture));
      await execa(
        'mogrify',
        [...['-fill', 'grey70', '-draw', 'rectangle 60,60 460,300', names[0]!]],
        { cwd: folder },
      );
      await execa('mogrify', ['-format', 'jpg', ...PHOTOGRAPH, ...names], { cwd: folder });
      const out = path('from-photographs');
      const taken = names.map((name) => join(folder, name.replace('.png', '.jpg')));
      expect(await sides.packer.bundle(['receipt', 'scan', ...taken, '-o', out])).toMatchObject({
        status: 0,
      });
      await isTheSame(out);
    });

    it('is read from one photograph of a page with all codes', async () => {
      const folder = path('page');
      await mkdir(folder);
      await execa(
        'montage',
        [
          ...[...pictures()].reverse(),
          ...[
            '-colorspace',
            'Gray',
            '-depth',
            '8',
            '-tile',
            '2x',
            '-geometry',
            '+60+60',
            'page.png',
          ],
        ],
        { cwd: folder },
      );
      await execa('mogrify', ['-format', 'jpg', ...PHOTOGRAPH, 'page.png'], { cwd: folder });
      const out = path('from-page');
      const scan = ['receipt', 'scan', join(folder, 'page.jpg'), '-o', out];
      expect(await sides.packer.bundle(scan)).toMatchObject({ status: 0 });
      await isTheSame(out);
    });
  });
});
