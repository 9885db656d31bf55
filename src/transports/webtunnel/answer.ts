/**
 * The answer to the request: 101, or what a front says instead, and what that means for the bridge line.
 *
 *     101 Switching Protocols        the tunnel is open, and what follows the head is the bridge's
 *     404, 410                       the path is wrong, or the bridge is gone
 *     502, 503, 504                  the front is there, and does not reach the bridge
 *     anything else                  it is a web server, and no bridge
 */
import { PtError } from '../../error.ts'
import type { DialStage } from '../../failure.ts'
import { fieldValues, hasItem } from '../../http1/fields.ts'
import type { ResponseFault, ResponseHead } from '../../http1/response.ts'
import { acceptOf } from './websocket.ts'

/** The longest answer, with all heads of 1xx, in bytes. */
export const HEAD_LIMIT: number = 16 * 1024

/** Throws PT_HANDSHAKE with its stage unless the answer opens the tunnel. `key` is that of the request. */
export function requireUpgrade({ status, fields }: ResponseHead, key: string): void {
  if (status !== 101) throw refusal(status)
  const has = (name: string): boolean => fieldValues(fields, name).length > 0
  // A front may leave the field out, or add to the list.
  if (has('upgrade') && !hasItem(fields, 'upgrade', 'websocket')) {
    throw failure('upgrade', 'the web server changed to another protocol than the one that was asked for')
  }
  // webtunnel-server sends none.
  const accepts = fieldValues(fields, 'sec-websocket-accept')
  if (accepts.some((accept) => accept !== acceptOf(key))) {
    throw failure('upgrade', 'the web server answered to another key than the one that was sent')
  }
}

/** The error for bytes that are no answer. */
export function answerFault(fault: ResponseFault): PtError {
  if (fault === 'not HTTP') return failure('upgrade', 'what answered does not speak HTTP/1.1')
  return new PtError('PT_LIMIT', `${HEAD_LIMIT} bytes arrived without the end of the answer`, { stage: 'upgrade' })
}

function refusal(status: number): PtError {
  const answered = `the web server answered ${status}:`
  if (status === 404 || status === 410) {
    return failure('path', `${answered} the path in the url is wrong, or the bridge is gone`)
  }
  if (status === 502 || status === 503 || status === 504) {
    return failure('backend', `${answered} it cannot reach the bridge, which is down`)
  }
  return failure('upgrade', `${answered} ${meaningOf(status)}`)
}

function meaningOf(status: number): string {
  if (status < 300) return 'it is there, and does not know this path as that of a bridge'
  if (status < 400) return 'it wants to send us elsewhere; the url is not that of a bridge any more'
  if (status === 401 || status === 403) return 'it does not let us in'
  if (status === 429) return 'it gets too many requests from here'
  return status < 500 ? 'it does not take such a request' : 'it is broken'
}

function failure(stage: DialStage, message: string): PtError {
  return new PtError('PT_HANDSHAKE', message, { stage })
}
