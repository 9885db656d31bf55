/** `postern webtunnel url HOST`: the option `url` with a path that is new. */
import { randomInt } from 'node:crypto'
import { isIP } from 'node:net'
import { isHostName, parseTarget } from '../../ipc/index.ts'
import { UsageError } from '../usage.ts'
import { authorityOf, HTTPS_PORT } from './tunnel-url.ts'
import { refuseSurplus } from './values.ts'

const PATH_LENGTH = 24
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export function printUrl([host, ...surplus]: readonly string[]): void {
  if (host === undefined) throw new UsageError('webtunnel url: the host is missing, such as bridge.example')
  refuseSurplus(surplus)
  process.stdout.write(`url=https://${authorityOf(hostOf(host))}/${newPath()}\n`)
}

function hostOf(word: string): { host: string; port: number } {
  const host = word.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) !== 0 || isHostName(host)) return { host, port: HTTPS_PORT }
  try {
    const target = parseTarget(word)
    if (target.port !== 0) return target
  } catch {
    // It is said below.
  }
  throw new UsageError('webtunnel url: expected HOST or HOST:PORT, the name under which the web server is reached')
}

/** Makes a path of 142 bits, as long as the one of webtunnel's own guide. */
function newPath(): string {
  return Array.from({ length: PATH_LENGTH }, () => letters[randomInt(letters.length)]).join('')
}
