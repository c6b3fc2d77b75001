/** The order of test files. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take long, 30 s to 200 s: where no run of before is known, vitest would start the largest files first. */
const LONG = [
  ...['conformance', 'lab', 'scale', 'streams', 'demo', 'can_services', 'relay_sanitizers'].map(
    (name) => `/test/netns/${name}.test.ts`,
  ),
  ...['30_soak', '04_half_close', '13_four_tuples', '11_vanished_peer'].map(
    (name) => `/test/faults/${name}.test.ts`,
  ),
];

/** As vitest has it, but that the long ones of a project come first: two workers end at about the same time. */
export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const projects = [...new Set(sorted.map(({ project }) => project.name))];
    const place = ({ project, moduleId }: TestSpecification): number =>
      2 * projects.indexOf(project.name) + (LONG.some((end) => moduleId.endsWith(end)) ? 0 : 1);
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
}
