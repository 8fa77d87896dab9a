import { carry } from './lib/carry.ts';
import { projectPath } from './lib/project-root.ts';

try {
  const { archive, size, needs } = await carry(projectPath('out'));
  const versions = Object.entries(needs).map(([library, version]) => `${library} ${version}`);
  process.stdout.write(
    `${archive}\n${(size / 1e6).toFixed(1)} MB; runs on Linux ${process.arch} with ${versions.join(', ')} or later\n`,
  );
} catch (error) {
  process.stderr.write(`carry: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
