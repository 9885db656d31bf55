/** A PT that is killed every second while a page is fetched through it, over and over. */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, get } from 'node:http'
import { expect } from 'vitest'
import { serve, startBridge } from '../bridges/bridges.ts'
import type { Running } from '../cli/postern.ts'
import { ready, start } from '../cli/postern.ts'
import { timePasses } from '../support.ts'

interface Failed {
  /** ECONNREFUSED would be a port that refused, HUNG a download that took too long, TRUNCATED one that seemed whole. */
  readonly code: string
  /** Of the failure that the tunnel told of since the download began; undefined where it told of none. */
  readonly stage: unknown
}

export interface Outcome {
  readonly complete: number
  readonly failed: readonly Failed[]
  readonly kills: number
}

/** How long after a failed download the tunnel may take to tell of it: the event comes by another pipe, in ms. */
const NOTICE = 5_000

/** A download that fails is cut off, and the tunnel has said where it failed. */
export function expectEachExplained({ failed }: Outcome): void {
  const unexplained = failed.filter(
    ({ code, stage }) => !/^(?:ECONNRESET|EPIPE)$/.test(code) || stage === undefined || stage === 'unknown',
  )
  expect(unexplained).toEqual([])
}

/** A connection waits so long for the PT, in seconds, and a download that takes longer than HUNG ms hangs. */
const CONNECT_TIMEOUT = 20
const HUNG = 30_000

/** Downloads for `seconds`, through `postern client` with `flags`, and then until one completes. */
export async function killLoop(seconds: number, flags: readonly string[]): Promise<Outcome> {
  const file = randomBytes(2 ** 20)
  const wanted = hash(file)
  const web = await serve(createServer((_, response) => response.end(file)))
  const client = start('client', await startBridge(web), `--connect-timeout=${CONNECT_TIMEOUT}`, ...flags)
  const port = Number((await ready(client, 'client')).listen.split(':')[1])
  const until = Date.now() + seconds * 1000
  const outcome = { complete: 0, failed: [] as Failed[], kills: 0 }
  const lives = (): number => client.events.filter(({ event }) => event === 'pt-ready').length
  const killing = (async () => {
    // A second from when it is ready: on a machine that takes longer to start it, it would never get to do anything.
    for (; Date.now() < until; outcome.kills++) {
      await client.next(() => lives() > outcome.kills)
      await timePasses(1_000)
      process.kill(client.events.findLast(({ event }) => event === 'pt-start')!['pid'] as number, 'SIGKILL')
    }
  })()
  for (let works = false; Date.now() < until || !works;) {
    const told = client.events.length
    const result = await download(port)
    works = Buffer.isBuffer(result) && hash(result) === wanted
    if (works) outcome.complete++
    else {
      const code = Buffer.isBuffer(result) ? 'TRUNCATED' : result
      outcome.failed.push({ code, stage: await stageSince(client, told) })
    }
  }
  await killing
  return outcome
}

/** The stage of the first failure behind the first `told` events; undefined where none comes. */
async function stageSince(client: Running, told: number): Promise<unknown> {
  const old = new Set(client.events.slice(0, told))
  const failure = client.next((event) => event.event === 'failure' && !old.has(event))
  return await Promise.race([failure.then(({ stage }) => stage), timePasses(NOTICE)])
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
    }, HUNG)
    request.once('close', () => clearTimeout(timer))
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
