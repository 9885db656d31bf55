/** A PT that is killed every second while a page is fetched through it, over and over. */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, get } from 'node:http'
import { delay } from '../../src/io/index.ts'
import { serve, startBridge } from '../app/bridges.ts'
import type { Event } from '../cli/postern.ts'
import { ready, start } from '../cli/postern.ts'

export interface Outcome {
  readonly complete: number
  readonly failed: number
  /** Errors of downloads by their code; ECONNREFUSED would be a port that refused, HUNG one that took too long. */
  readonly codes: readonly string[]
  readonly kills: number
  /** The stages of the tunnel's failures. */
  readonly stages: readonly unknown[]
}

/** Downloads for `seconds`, through `postern client` with `flags`. With `spare`, a PT is not killed before it is ready. */
export async function killLoop(seconds: number, flags: readonly string[], spare = false): Promise<Outcome> {
  const file = randomBytes(2 ** 20)
  const wanted = hash(file)
  const web = await serve(createServer((_, response) => response.end(file)))
  const client = start('client', await startBridge(web), ...flags)
  const port = Number((await ready(client, 'client')).listen.split(':')[1])
  const until = Date.now() + seconds * 1000
  const outcome = { complete: 0, failed: 0, codes: new Set<string>(), kills: 0 }
  const killing = (async () => {
    while (Date.now() < until) {
      await delay(1_000)
      const pid = client.events.findLast(({ event }) => event === 'pt-start')?.['pid'] as number
      // On a machine that takes more than a second to start it, a PT would never get to do anything.
      const isReady = client.events.findLast(({ event }) => event.startsWith('pt-'))?.event === 'pt-ready'
      if (spare && !isReady) continue
      try {
        process.kill(pid, 'SIGKILL')
        outcome.kills++
      } catch {
        // It has not been started again yet.
      }
    }
  })()
  while (Date.now() < until) {
    const result = await download(port)
    if (Buffer.isBuffer(result) && hash(result) === wanted) outcome.complete++
    else {
      outcome.failed++
      outcome.codes.add(Buffer.isBuffer(result) ? 'TRUNCATED' : result)
    }
  }
  await killing
  const failures = client.events.filter(({ event }: Event) => event === 'failure')
  return { ...outcome, codes: [...outcome.codes], stages: [...new Set(failures.map(({ stage }) => stage))] }
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The body, or the code of the error. */
function download(port: number): Promise<Buffer | string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const request = get({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('end', () => resolve(Buffer.concat(chunks)))
      response.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
    const timer = setTimeout(() => {
      resolve('HUNG')
      request.destroy()
    }, 30_000)
    request.once('close', () => clearTimeout(timer))
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
