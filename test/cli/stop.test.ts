import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { serveEcho, startBridge } from '../bridges/bridges.ts'
import { peer } from '../support.ts'
import { ready, startAsJob } from './postern.ts'

test.for(['postern', 'postern --isolate', 'obfs4proxy'])(
  'Ctrl-C, which a terminal sends to the PT of %s as well: what is open is carried on until it ends, then all is gone',
  { timeout: 60_000 },
  async (who, context) => {
    const flags = who === 'obfs4proxy' ? ['--exec', peer('obfs4proxy', context)] : who.split(' ').slice(1)
    const client = startAsJob('client', await startBridge(await serveEcho()), '--drain-timeout=30', ...flags)
    const { listen } = await ready(client, 'client')
    const conn = connect(Number(listen.split(':')[1]), '127.0.0.1')
    const say = async (words: string): Promise<string> => {
      conn.write(words)
      return String(((await once(conn, 'data')) as [Buffer])[0])
    }
    expect(await say('before')).toBe('before')
    client.signal('SIGINT')
    // As npm and timeout do, which pass on what everybody has got.
    client.signal('SIGINT')
    await client.next(({ event }) => event === 'stopping')
    expect(await say('after')).toBe('after')
    conn.destroy()
    expect(await client.stop()).toEqual({ status: 0, stderr: '' })
    const pids = client.events.flatMap(({ event, pid }) => (event === 'pt-start' ? [pid as number] : []))
    expect(pids).toHaveLength(who === 'postern' ? 0 : 1)
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    expect(client.events.filter(({ event }) => event === 'failure' || event === 'restart')).toEqual([])
  },
)
