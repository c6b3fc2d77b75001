/** How much commands read and judge, from the constants by which they do. */
import { MAX_JUDGEMENTS, MAX_LINE_CHARACTERS } from '../../cli/can/index.ts';
import { INPUT_LIMITS } from '../../cli/input/index.ts';
import { PAGE_LIMIT } from '../../injector/api/index.ts';
import { MANIFEST_LIMITS } from '../../sources/index.ts';
import { markdownTable } from './regions.ts';

/** A limit a line. */
export function inputLimits(): string {
  const { fileBytes, yamlTokens, yamlDepth, yamlValues, yamlCopiedShare } = MANIFEST_LIMITS;
  return markdownTable(
    ['limit', 'at most'],
    [
      ['files of one command, with `-f`', count(INPUT_LIMITS.files)],
      ['these files together', mebi(INPUT_LIMITS.bytes)],
      ['one file', mebi(fileBytes)],
      ['tokens of a YAML document', count(yamlTokens)],
      ['nesting of a YAML document', `${count(yamlDepth)} levels`],
      [
        'values of a YAML document, its aliases followed',
        `${count(yamlValues)}, of which ${Math.round(yamlCopiedShare * 100)} of 100 may be copies, as in kubectl`,
      ],
      ['objects of a cluster', `${count(INPUT_LIMITS.objects)}, read in pages of ${count(PAGE_LIMIT)}`],
      [
        'judgements of one question of `can`: ranges of ports, times the parts of a block',
        count(MAX_JUDGEMENTS),
      ],
      ['a line of `can --batch`', `${count(MAX_LINE_CHARACTERS)} characters`],
    ],
  );
}

const count = (number: number): string => number.toLocaleString('en-US');

const mebi = (bytes: number): string => `${bytes / 1024 ** 2} MiB`;
