import { join } from 'node:path';

import type { Context } from '../core/context.ts';
import { type Digest, Digester, digestOf, hexOf } from '../core/digest.ts';
import { BundleError } from '../core/errors.ts';
import { MAX_PROGRAM_BYTES } from '../core/limits.ts';
import { prepareFolder } from '../files/folder.ts';
import { withLock } from '../files/lock.ts';
import { checkSpace } from '../files/space.ts';
import { StagedFiles } from '../files/staged-files.ts';
import { checkFound, choosePrograms, type ProgramChoice } from '../kinds/release/tools/choose.ts';
import {
  type ComponentImage,
  imageArchitectures,
  openComponent,
  platformOf,
} from '../kinds/release/tools/component-image.ts';
import { fileNameOf, type Program, programsOf } from '../kinds/release/tools/programs.ts';
import { readmeOf } from '../kinds/release/tools/readme.ts';
import { type Packed, type Write, writeTarGz, writeZip } from './archive.ts';
import {
  type Beside,
  readBeside,
  refuseOtherRelease,
  RELEASE,
  SUMS,
  sumsText,
} from './beside-tools.ts';
import { resigned, type SignatureState } from './code-signature.ts';
import { findFiles, type ImageFile } from './image-files.ts';
import {
  checkRoom,
  type Marker,
  RELEASE_ARCHITECTURE,
  RELEASE_IMAGE,
  RELEASE_VERSION,
  type Values,
  withValues,
} from './markers.ts';
import type { OpenedRelease } from './opened-release.ts';
import { releaseText } from './release-text.ts';

export interface ToolsRequest extends ProgramChoice {
  /** Made if it is not there. */
  readonly folder: string;
}

/** An archive that was written. */
export interface WrittenArchive extends Pick<Program, 'system' | 'architecture' | 'rhel'> {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: Digest;
  /** The programs in it. */
  readonly commands: readonly string[];
  /** What of the release is written into the program. */
  readonly names: readonly Marker['name'][];
  /** What should be written into the program, which has no place for it. */
  readonly lacking: readonly Marker['name'][];
}

export interface ExtractedTools {
  readonly folder: string;
  readonly archives: readonly WrittenArchive[];
  /** Files beside them. */
  readonly files: readonly string[];
  /** Archives that the release should have programs for, and has not. */
  readonly left: readonly string[];
  /** Archives with an installer that the release image could not be written into. */
  readonly unpinned: readonly string[];
}

/** Programs become archives of at least this share of their size. */
const LEAST_SHARE = 0.25;

/**
 * Makes archives of the client programs of a release. Nothing has its final name before all layers
 * that were read had the right digest.
 * @throws BundleError NOT_FOUND when there is nothing of something that was asked for; DISK,
 * CONTENT_MISMATCH, UNSUPPORTED_CONTENT, and of the store; USAGE for a folder with programs of
 * another release, or files of somebody else.
 */
export async function extractTools(
  opened: OpenedRelease,
  request: ToolsRequest,
  context: Context,
): Promise<ExtractedTools> {
  const { folder } = request;
  const { facts } = opened.release;
  checkRoom(RELEASE_IMAGE, opened.pinned);
  checkRoom(RELEASE_VERSION, facts.version);
  const architectures = imageArchitectures(opened.release);
  const all = programsOf({ version: facts.version, architectures });
  const wanted = choosePrograms(all, request);
  await prepareFolder(folder);
  return withLock(join(folder, SUMS), context.signal, async (signal) => {
    const before = await readBeside(folder);
    refuseOtherRelease(before, opened, folder);
    const staged = new StagedFiles(folder);
    try {
      const job = new ToolsJob(opened, staged, folder, { ...context, signal });
      const groups = await job.open(wanted, architectures[0]!);
      for (const group of groups) await job.extract(group, all);
      checkFound(job.found, job.there, request);
      const left = job.left(wanted);
      const archives = job.archives();
      const unpinned = unpinnedOf(archives);
      await writeBeside(staged, opened, before, archives);
      signal.throwIfAborted();
      await staged.finish(RELEASE);
      return { folder, archives, files: [RELEASE, SUMS], left, unpinned };
    } finally {
      await staged.discard();
    }
  });
}

/** The programs that are wanted of one image. */
interface Group {
  readonly component: string;
  /** As in the key of an image: the architecture of its programs, if it has only those. */
  readonly imageArchitecture: string | undefined;
  readonly programs: readonly Program[];
  readonly image: ComponentImage;
}

class ToolsJob {
  /** Programs that are in archives now. */
  readonly found: Program[] = [];
  /** Programs that were seen. */
  readonly there: Program[] = [];
  readonly #opened: OpenedRelease;
  readonly #staged: StagedFiles;
  readonly #folder: string;
  readonly #context: Context;
  readonly #written = new Map<string, WrittenArchive>();
  /** Programs without a single byte. */
  readonly #empty = new Set<Program>();

  constructor(opened: OpenedRelease, staged: StagedFiles, folder: string, context: Context) {
    this.#opened = opened;
    this.#staged = staged;
    this.#folder = folder;
    this.#context = context;
  }

  /** Opens the images that have the programs; those that the release lacks are passed over. */
  async open(wanted: readonly Program[], first: string): Promise<readonly Group[]> {
    const { observe } = this.#context;
    const keys = new Map<string, Program[]>();
    for (const program of wanted) {
      const key = `${program.component} ${program.imageArchitecture ?? ''}`;
      keys.set(key, [...(keys.get(key) ?? []), program]);
    }
    const groups: Group[] = [];
    observe({ type: 'phase', what: 'reading the manifests' });
    for (const programs of keys.values()) {
      const { component, imageArchitecture } = programs[0]!;
      const { walk } = this.#opened;
      const image = await openComponent(component, imageArchitecture ?? first, this.#opened, walk);
      if (image !== undefined) groups.push({ component, imageArchitecture, programs, image });
    }
    const layers = groups.flatMap(({ image }) => image.layers);
    const bytes = layers.reduce((total, { size }) => total + size, 0);
    observe({ type: 'planned', blobs: layers.length, bytes, images: groups.length });
    return groups;
  }

  /** Makes the archives of the programs that one image has. */
  async extract(group: Group, all: readonly Program[]): Promise<void> {
    const { component, imageArchitecture, programs, image } = group;
    const { signal, observe } = this.#context;
    observe({ type: 'phase', what: `reading ${component}` });
    const byPath = new Map(programs.map((program) => [program.path, program]));
    const files = await findFiles(
      { ...image, called: `image ${component}` },
      [...byPath.keys()],
      async (path, file) => this.#archive(byPath.get(path)!, file),
      { signal, observe },
    );
    for (const program of programs) {
      if (!files.has(program.path)) {
        this.#empty.delete(program);
        await this.#staged.drop(program.archive);
      } else if (this.#empty.has(program)) {
        const cause = `${program.archive}: ${program.path} in the image ${component} is empty`;
        observe({ type: 'noticed', code: 'left-out', cause });
      } else this.found.push(program);
    }
    const isThere = (program: Program): boolean =>
      program.component === component &&
      program.imageArchitecture === imageArchitecture &&
      files.has(program.path) &&
      !this.#empty.has(program);
    this.there.push(...all.filter(isThere));
  }

  /** The archives that were made, in the order of their names. */
  archives(): readonly WrittenArchive[] {
    const names = this.found.map(({ archive }) => archive).sort();
    return names.map((name) => this.#written.get(name)!);
  }

  /** What a release always has, and this one has not, and what is empty. Each is reported. */
  left(wanted: readonly Program[]): readonly string[] {
    const { observe } = this.#context;
    const lacking = wanted.filter(
      (program) =>
        this.#empty.has(program) || (!program.isOptional && !this.found.includes(program)),
    );
    for (const program of lacking) {
      if (this.#empty.has(program)) continue; // reported when it was found
      const { archive, component, path } = program;
      const cause = `${archive}: the release has no ${path} in an image ${component}`;
      observe({ type: 'noticed', code: 'left-out', cause });
    }
    return lacking.map(({ archive }) => archive);
  }

  async #archive(program: Program, file: ImageFile): Promise<void> {
    const { size, mtime } = file;
    if (size > MAX_PROGRAM_BYTES) {
      throw new BundleError('UNSUPPORTED_CONTENT', `${program.path} has ${size} bytes`, {
        expected: `${MAX_PROGRAM_BYTES} bytes at most`,
        got: `${size} bytes`,
        hint: 'No genuine program is that large: do not trust this release.',
      });
    }
    this.#empty.delete(program);
    if (size === 0) {
      this.#empty.add(program);
      await this.#staged.drop(program.archive);
      return;
    }
    await this.#checkSpace(size);
    const values = this.#valuesFor(program);
    const asked = [...values.keys()].map(({ name }) => name);
    const signature: SignatureState = { outcome: 'none' };
    const patched = withValues(file.content, values);
    const { facts } = this.#opened.release;
    const { system, architecture, rhel, archive, alias } = program;
    const packed: Packed = {
      name: fileNameOf(program),
      ...{ alias, size, mtime },
      readme: readmeOf(program, facts.version),
      content: system === 'mac' ? resigned(patched, signature) : patched,
    };
    const digester = new Digester();
    const { signal } = this.#context;
    await this.#staged.write(archive, async (write) => {
      const hashing: Write = async (chunk) => {
        digester.update(chunk);
        await write(chunk);
      };
      await (system === 'windows' ? writeZip : writeTarGz)(packed, hashing, signal);
    });
    const unfilled = [...values.keys()].map(({ name }) => name);
    const lacking = unfilled.filter((name) => name !== RELEASE_ARCHITECTURE.name);
    this.#tell(archive, lacking, signature);
    this.#written.set(archive, {
      ...{ file: archive, bytes: digester.size, sha256: digester.digest() },
      ...{ system, architecture },
      ...(rhel && { rhel }),
      commands: [packed.name, ...(alias === undefined ? [] : [alias])],
      names: asked.filter((name) => !unfilled.includes(name)),
      lacking,
    });
  }

  /** What is written into a program, at the markers that it is built with. */
  #valuesFor({ command }: Program): Values {
    const { release, pinned } = this.#opened;
    const { version } = release.facts;
    if (command === 'ccoctl') return new Map();
    if (command === 'oc') return new Map([[RELEASE_VERSION, version]]);
    return new Map([
      [RELEASE_IMAGE, pinned],
      [RELEASE_VERSION, version],
      [RELEASE_ARCHITECTURE, platformOf(release)],
    ]);
  }

  #tell(archive: string, lacking: readonly Marker['name'][], signature: SignatureState): void {
    const { observe } = this.#context;
    for (const marker of lacking) {
      observe({ type: 'noticed', code: 'marker-not-found', archive, marker });
    }
    if (signature.outcome === 'broken') {
      observe({ type: 'noticed', code: 'code-signature-broken', archive });
    }
  }

  /** Fails early where there is surely not enough space. */
  async #checkSpace(size: number): Promise<void> {
    try {
      await checkSpace(this.#folder, Math.ceil(size * LEAST_SHARE));
    } catch (error) {
      throw error instanceof BundleError
        ? error.withHint('Free some space, or choose another folder with -o.')
        : error;
    }
  }
}

/** Writes what describes the archives, those of earlier runs included. */
async function writeBeside(
  staged: StagedFiles,
  opened: OpenedRelease,
  before: Beside,
  archives: readonly WrittenArchive[],
): Promise<void> {
  const sums = new Map(before.sums);
  for (const { file, sha256 } of archives) sums.set(file, hexOf(sha256));
  const isKept = (name: string): boolean =>
    before.sums.has(name) && archives.every(({ file }) => file !== name);
  const unpinned = [...(before.release?.unpinned ?? []).filter(isKept), ...unpinnedOf(archives)];
  const text = releaseText(opened, { archives: [...sums.keys()], unpinned: unpinned.sort() });
  await writeText(staged, RELEASE, text);
  await writeText(staged, SUMS, sumsText(sums, [[RELEASE, digestOf(text)]]));
}

function unpinnedOf(archives: readonly WrittenArchive[]): readonly string[] {
  return archives
    .filter(({ lacking }) => lacking.includes(RELEASE_IMAGE.name))
    .map(({ file }) => file);
}

async function writeText(staged: StagedFiles, name: string, text: string): Promise<void> {
  await staged.write(name, async (write) => write(Buffer.from(text)));
}
