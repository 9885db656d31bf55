/** What an answer without bytes for the application means, in words for the operator. */
import { PtError } from '../../../error.ts'
import type { Answer } from './answer.ts'

/** What our server says of a session whose application has ended, after its last byte. Servers of others have no such answer. */
const GONE = 410

const words: Readonly<Record<number, string>> = {
  400: 'it takes the requests for malformed, so it is most likely no meek server',
  403: 'most likely the front does not let the host of the url through',
  404: 'most likely the path of the url is wrong, or the bridge is gone',
  405: 'most likely the path of the url is wrong, or the bridge is gone',
  421: 'the front does not serve the host of the url',
  429: 'the front finds that there are too many requests',
  500: 'most likely the bridge has lost the session, or its application has ended',
  502: 'the server after the front is down',
  503: 'the server after the front is down or overloaded',
  504: 'the server after the front does not answer',
}

/** True if the server says that all has been said. */
export function isEnd({ status }: Answer): boolean {
  return status === GONE
}

/**
 * The error for an answer that is none of a meek server; undefined for one that carries bytes. PT_HANDSHAKE for the first answer, and
 * later PT_CLOSED.
 */
export function refusalOf({ status, isPage }: Answer, isFirst: boolean): PtError | undefined {
  if (status === 200 && !isPage) return undefined
  const code = isFirst ? 'PT_HANDSHAKE' : 'PT_CLOSED'
  if (status === 200) return new PtError(code, 'the front answered with a page, so no meek server is there', { stage: 'mark' })
  const redirects = status >= 300 && status < 400
  const why = redirects ? 'the url has moved, or a login page stands in the way' : words[status]
  const stage = status >= 500 ? 'closed' : 'mark'
  return new PtError(code, `the front answered ${status}${why === undefined ? '' : `: ${why}`}`, { stage })
}
