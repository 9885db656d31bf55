/** A silent connection: when TCP asks whether the other end is still there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clientEnv, executable, portIn, rotByN, runChild } from '../pt/child.ts'
import { echo, socks } from '../pt/support.ts'
import { echoed, peer, tempDir } from '../support.ts'
import type { Program } from './observer.ts'
import { observe } from './observer.ts'

test.for<[Program, string[]]>([
  ['obfs4proxy', ['client, wire', 'server, wire']],
  ['postern', ['client, wire', 'server, wire', 'client, application', 'server, application']],
])('%s asks after 15 s of silence, on %o', async ([program, places], context) => {
  const pair = { transport: 'obfs4', client: program, server: program }
  const seconds = await observe<Record<string, number>>(context, 'keep-alive.mjs', [program], pair)
  for (const place of places) {
    expect(seconds[place], place).toBeGreaterThan(10)
    expect(seconds[place], place).toBeLessThanOrEqual(15)
  }
})

/** Since 26 Node sets all three times; before, it takes the first, and libuv has its own for the others. */
const [major = 0] = process.versions.node.split('.').map(Number)
const times = major >= 26 ? { idle: 15, interval: 15, count: 9 } : { idle: 15, interval: 1, count: 10 }

test(`on Node ${major} TCP asks ${times.count} times, ${times.interval} s apart: on what a PT accepts, and on what it dials`, async (context) => {
  const { address } = await echo()
  const trace = join(tempDir(), 'trace')
  const strace = [peer('strace', context), '-f', '-qq', '-yy', '-e', 'trace=setsockopt', '-o', trace] as const
  const pt = runChild({
    command: [...strace, process.execPath, executable, 'pt', '--load', rotByN],
    env: clientEnv({ TOR_PT_EXIT_ON_STDIN_CLOSE: '1' }),
  })
  const port = portIn(await pt.line('CMETHOD '))
  const { conn } = await socks(port, address)
  expect(await echoed(conn, 'there and back')).toBe('there and back')
  pt.child.stdin!.end()
  expect(await pt.exit).toBe(0)
  const options = [...readFileSync(trace, 'utf8').matchAll(/<TCP:\[127\.0\.0\.1:(\d+)->.*TCP_KEEP(\w+), \[(\d+)\]/g)]
  const of = (wanted: (local: number) => boolean): Record<string, string> =>
    Object.fromEntries(options.flatMap(([, local, name, value]) => (wanted(Number(local)) ? [[name, value]] : [])))
  const set = { IDLE: `${times.idle}`, INTVL: `${times.interval}`, CNT: `${times.count}` }
  expect(of((local) => local === port)).toEqual(set)
  expect(of((local) => local !== port)).toEqual(set)
})
