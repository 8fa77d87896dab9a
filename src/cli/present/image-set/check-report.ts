import { counted } from '../../../core/text.ts';
import type { Finding } from '../../../image-sets/findings.ts';
import type { ReadImageSet } from '../../../image-sets/read.ts';
import type { Outcome } from '../../command.ts';
import type { Report, Section } from '../layout.ts';
import { askedFor } from './summary.ts';

/** More findings than these are counted. */
const SHOWN = 50;

const REFUSED_STATUS = 2;

/** What is wrong with a file, or what it asks for. */
export function checkReport(file: string, { set, findings }: ReadImageSet): Outcome {
  const errors = findings.filter(({ level }) => level === 'error').length;
  return {
    ...(set === undefined && { status: REFUSED_STATUS }),
    json: { file, usable: set !== undefined, findings, ...(set !== undefined && { asked: set }) },
    report: (): Report => [
      [
        set === undefined
          ? { verdict: `${file} cannot be used: ${counted(errors, 'error')}`, mood: 'bad' }
          : verdictOf(file, findings.length),
      ],
      ...findings.slice(0, SHOWN).map((finding) => sectionOf(file, finding)),
      findings.length > SHOWN ? [{ text: `${findings.length - SHOWN} more are not shown.` }] : [],
      set === undefined ? [] : [{ facts: askedFor(set) }],
    ],
  };
}

function verdictOf(file: string, warnings: number): Section[number] {
  if (warnings === 0) return { verdict: `${file} is good`, mood: 'good' };
  const verdict = `${file} can be used: ${counted(warnings, 'warning')}`;
  return { verdict, mood: 'warning' };
}

/** The first line is as compilers write it: editors jump to such places. */
function sectionOf(file: string, { level, line, column, message, hint }: Finding): Section {
  const text = `${file}:${line}:${column}: ${level}: ${message}`;
  return [{ text }, ...(hint === undefined ? [] : [{ text: `  ${hint}` }])];
}
