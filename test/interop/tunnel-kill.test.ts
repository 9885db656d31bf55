import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { TestContext } from 'vitest'
import { describe, expect, test } from 'vitest'
import { serve, startBridge } from '../bridges/bridges.ts'
import type { Running } from '../cli/postern.ts'
import { ready, start } from '../cli/postern.ts'
import { peer, tunnelPts } from '../support.ts'
import { expectEachExplained, killLoop } from './kill-loop.ts'

/** How long it is killed each second; `npm run test:long` has a minute of it in a file of its own. */
const SECONDS = 3

function flagsOf(who: string, context: TestContext): string[] {
  return who === 'obfs4proxy' ? ['--exec', peer('obfs4proxy', context)] : ['--isolate']
}

/** A connection through `postern client` to what `serveOne` does with it, and the id of the PT it goes through. */
async function through(
  serveOne: (conn: Socket) => void,
  flags: string[],
): Promise<{ conn: Socket; client: Running; pid: number }> {
  const far = await serve(createServer({ allowHalfOpen: true }, serveOne))
  const client = start('client', await startBridge(far), ...flags)
  const { listen } = await ready(client, 'client')
  const conn = connect({ host: '127.0.0.1', port: Number(listen.split(':')[1]), allowHalfOpen: true })
  const { pid } = await client.next(({ event }) => event === 'pt-start')
  return { conn, client, pid: pid as number }
}

describe.each(tunnelPts)('the PT of %s is killed', (who) => {
  test('in the midst of a download: the application gets a reset, not an end, and the failure has its stage', async (context) => {
    const answer = (conn: Socket): void => void conn.once('data', () => conn.write('half of it'))
    const { conn, client, pid } = await through(answer, flagsOf(who, context))
    // obfs4proxy's client can leave what a server says first unread, see docs/deviations.md.
    conn.write('GET')
    await once(conn, 'data')
    process.kill(pid, 'SIGKILL')
    await expect(once(conn, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await client.next(({ event }) => event === 'failure')).toMatchObject({ stage: 'closed' })
  })

  test('over bytes that it has not read, which the system tells by a reset: the same', async (context) => {
    const { conn, client, pid } = await through((conn) => conn.pause(), flagsOf(who, context))
    // Until nobody on the way takes any more.
    const stuck = new Promise<void>((resolve) => {
      const idle = setTimeout(resolve, 1_000)
      const more = (error?: Error | null): void => {
        idle.refresh()
        if (!error) conn.write(Buffer.alloc(2 ** 20), more)
      }
      more()
    })
    const cut = once(conn, 'end')
    cut.catch(() => undefined)
    await stuck
    process.kill(pid, 'SIGKILL')
    await expect(cut).rejects.toMatchObject({ code: /ECONNRESET|EPIPE/ })
    expect(await client.next(({ event }) => event === 'failure')).toMatchObject({ stage: 'closed' })
  })

  test(
    'every second: each download completes or fails with a stage, none hangs, the port never refuses',
    { timeout: SECONDS * 1000 + 60_000 },
    async (context) => {
      const outcome = await killLoop(SECONDS, flagsOf(who, context))
      expectEachExplained(outcome)
      expect(outcome.complete).toBeGreaterThan(0)
      expect(outcome.kills).toBeGreaterThan(0)
    },
  )
})
