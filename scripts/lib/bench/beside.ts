import { OURS, type Program, runBundle, type Usage } from './run-program.ts';
import { type Bench, inTurn, intoEmptyRegistry, pack, unpackArguments } from './steps.ts';

/** A pack and an unpack of what it made, with this build and with another one in turn. */
export async function besideRound(bench: Bench, round: number, other: Program): Promise<void> {
  const { found, home, medium } = bench;
  const both = async (program: Program): Promise<Readonly<Record<string, Usage>>> => ({
    pack: await pack(bench, { program }),
    unpack: await intoEmptyRegistry(bench, (host) =>
      runBundle(unpackArguments(bench, medium, host), { home, program }),
    ),
  });
  const [ours, others] = await inTurn(
    round,
    () => both(OURS),
    () => both(other),
  );
  const against = `the same with ${other}`;
  for (const command of ['pack', 'unpack']) {
    const [our, their] = [ours[command]!, others[command]!];
    found.add({ what: `${command}, beside`, against }, our.seconds, their.seconds);
    found.add({ what: `CPU of ${command}, beside`, against }, our.cpuSeconds, their.cpuSeconds);
    found.add(
      { what: `memory of ${command} at its peak, beside`, against, unit: 'MiB' },
      our.peakMiB,
      their.peakMiB,
    );
  }
}
