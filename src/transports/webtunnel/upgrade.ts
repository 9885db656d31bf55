/**
 * The request for the tunnel, and its answer.
 *
 *     GET /secret HTTP/1.1 … Connection: keep-alive, Upgrade … Upgrade: websocket
 *
 *     HTTP/1.1 101 Switching Protocols | Connection: upgrade | Upgrade: websocket | Sec-WebSocket-Accept, if a key came
 *
 * The names and the order of the answer are webtunnel-server's. HAProxy in mode http wants the key answered.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Field } from '../../http1/fields.ts'
import { hasItem, lastValue } from '../../http1/fields.ts'
import type { RequestHead } from '../../http1/request.ts'
import { formatResponse } from '../../http1/response.ts'
import { pathOf } from '../web/web-answer.ts'
import { hasBody } from '../web/requests.ts'
import { acceptOf } from './websocket.ts'

/** Makes the question whether a request asks for the tunnel at `path`, which is the secret of the bridge. */
export function upgradeTo(path: string): (request: RequestHead) => boolean {
  const secret = digestOf(path)
  return ({ method, target, fields }) => {
    // The paths are compared as hashes, in a time that does not depend on how much of them is alike.
    const isPath = timingSafeEqual(digestOf(pathOf(target)), secret)
    return isPath && method === 'GET' && hasUpgrade(fields) && !hasBody(fields)
  }
}

function hasUpgrade(fields: readonly Field[]): boolean {
  return hasItem(fields, 'Connection', 'upgrade') && hasItem(fields, 'Upgrade', 'websocket')
}

/** Escapes are undone, as fronts may write a path with other ones than the client. */
function digestOf(path: string): Buffer {
  const plain = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return createHash('sha256').update(plain, 'latin1').digest()
}

/** The head of the answer to a request for the tunnel. */
export function formatUpgrade({ fields }: RequestHead): string {
  const key = lastValue(fields, 'Sec-WebSocket-Key')
  return formatResponse(101, 'Switching Protocols', [
    ['Connection', 'upgrade'],
    ['Upgrade', 'websocket'],
    ...(key === undefined ? [] : [['Sec-WebSocket-Accept', acceptOf(key)] as const]),
  ])
}
