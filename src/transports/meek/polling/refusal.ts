/** What an answer without bytes for the application means, in words for the operator. */
import { PtError } from '../../../error.ts'
import type { DialStage } from '../../../failure.ts'
import type { Answer } from './answer.ts'

const words: ReadonlyMap<number, readonly [stage: DialStage, why: string]> = new Map<number, [DialStage, string]>([
  [400, ['upgrade', 'it takes a request of meek for malformed']],
  [403, ['upgrade', 'most likely it does not let the host of the url through']],
  [404, ['path', 'the path of the url is wrong, or the bridge is gone']],
  [405, ['path', 'the path of the url is wrong, or the bridge is gone']],
  [421, ['upgrade', 'it does not serve the host of the url']],
  [429, ['upgrade', 'it finds that there are too many requests']],
  [500, ['backend', 'most likely the bridge has lost the session, or its application has ended']],
  [502, ['backend', 'the bridge after the front is down']],
  [503, ['backend', 'the bridge after the front is down or overloaded']],
  [504, ['backend', 'the bridge after the front does not answer']],
])

/**
 * The error for an answer that is none of a meek server; undefined for one that is. It is PT_HANDSHAKE for the first answer, and PT_CLOSED
 * later.
 */
export function refusalOf({ status, isPage }: Answer, isFirst: boolean): PtError | undefined {
  if (status === 200 && !isPage) return undefined
  const [stage, why] = meaningOf(status)
  return new PtError(isFirst ? 'PT_HANDSHAKE' : 'PT_CLOSED', `the front answered ${status}: ${why}`, { stage })
}

function meaningOf(status: number): readonly [stage: DialStage, why: string] {
  if (status === 200) return ['upgrade', 'it sent a page, so no meek server is there']
  if (status >= 300 && status < 400) return ['upgrade', 'the url has moved, or a login page stands in the way']
  return words.get(status) ?? [status >= 500 ? 'backend' : 'upgrade', 'that is no answer of a meek server']
}
