/** What the demo takes from the records of a sidecar. */
import { list } from '../../common/shape.ts';
import { flowRecord } from '../../flows/index.ts';
import { BrokenPromise } from './page.ts';

const recordedFlows = list(flowRecord);

/**
 * The explanation of the last denial of a source.
 * @param body the page `/flows` of a sidecar
 * @returns undefined where there is none
 * @throws BrokenPromise when the page has another form
 */
export function explanationIn(body: string, address: string | undefined): string | undefined {
  const flows = recordedFlows.readJson(body, 'its page /flows', (problem) => {
    const advice = 'sidecar and demo have to be of the same version of Sluice';
    return new BrokenPromise(`the sidecar cannot be understood: ${problem}; ${advice}`);
  });
  return flows.findLast((flow) => flow.src.addr === address && flow.verdict === 'deny')?.explanation;
}
