/** The programs of the benchmark are honest: what they count arrived, and what arrived is what was sent. No timing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { candidates, FLOOR, OURS } from '../../bench/candidates.mjs'
import { launch, makeFolder, readLines, removeFolder, stop } from '../../bench/children.mjs'
import { compile, findCompiler } from '../../bench/compile.mjs'
import { load } from '../../bench/load.mjs'
import { residentMiB } from '../../bench/memory.mjs'
import type { Figure } from '../../bench/metrics/index.mjs'
import { metrics } from '../../bench/metrics/index.mjs'
import type { Pair } from '../../bench/pair.mjs'
import { withPair } from '../../bench/pair.mjs'
import { quick } from '../../bench/settings.mjs'
import { isAlive, root } from '../support.ts'

/** Linux with a C compiler (Debian packages gcc libc6-dev); where peers are required its lack is a failure. */
const canCompile = process.platform === 'linux' && (process.env['POSTERN_REQUIRE_PEERS'] === '1' || hasCompiler())
const withPrograms = describe.skipIf(!canCompile)

/** FNV-1a of the first bytes of the generator's pattern, calculated apart from it. */
const hashes = { 200_000: '61fc1d29a13c2e6c', 1_000_003: '80089d067403932d' }

let programs: { loadgen: string; relay: string }

beforeAll(() => {
  if (!canCompile) return undefined
  const folder = makeFolder()
  programs = compile(folder)
  return () => removeFolder(folder)
})

it('a missing C compiler is said, with what to install', () => {
  expect(() => findCompiler([undefined, '/nowhere/cc'])).toThrow(/no C compiler was found.*apt install gcc/)
})

withPrograms('the load generator', () => {
  it('sends, takes and gets back the same bytes through our obfs4', async () => {
    const said = await through(OURS, async (pair) => await load(pair, 'transfer', { bytes: 200_000 }))
    expect(said).toEqual({ up: 200_000, down: 200_000, echoed: 200_000, hash: hashes[200_000] })
  })

  it('and through the relay in C', async () => {
    const said = await through(FLOOR, async (pair) => await load(pair, 'transfer', { bytes: 1_000_003 }))
    expect(said).toMatchObject({ up: 1_000_003, hash: hashes[1_000_003] })
  })

  it.each([
    ['up', 5_000],
    ['down', 250_000],
    ['echo', 450_000],
  ])('notices one byte that is changed on the way: %s', async (what, at) => {
    await direct({ changeAt: at }, async (pair) => {
      await expect(load(pair, 'transfer', { bytes: 200_000 })).rejects.toThrow(new RegExp(`loadgen: ${what}:`))
    })
  })

  it.each(['up', 'down'])('counts no byte %s that did not cross the wire', async (way) => {
    await direct({}, async (pair, crossed) => {
      const { bytes, dead, streams } = await load(pair, 'bulk', { way, streams: 3, seconds: 1, warm: 0 })
      expect(bytes).toBeGreaterThan(0)
      expect(bytes).toBeLessThanOrEqual(crossed())
      expect(dead).toBe(0)
      expect(streams).toMatchObject({ count: 3 })
      expect(streams.min + streams.median + streams.max).toBe(bytes)
    })
  })

  it('gives bulk, pings, connections and the CPU time of both ends through our PT', async () => {
    await through(OURS, async (pair) => {
      const bulk = await load(pair, 'bulk', { way: 'down', streams: 2, seconds: 1, warm: 0 })
      expect(bulk.bytes).toBeGreaterThan(0)
      expect(bulk.cpu).toHaveLength(2)
      expect(await load(pair, 'ping', { size: 64, count: 50 })).toMatchObject({ size: 64, us: { count: 50 } })
      const opened = await load(pair, 'connect', { count: 20, flight: 4, warm: 0, seconds: 10 })
      expect(opened).toMatchObject({ done: 20, failed: 0, us: { count: 20 } })
      expect(pair.pids.map(residentMiB).every((mib) => mib > 1)).toBe(true)
    })
  })

  it('counts from fork to METHODS DONE', async () => {
    const relay = { name: FLOOR, client: [programs.relay], server: [programs.relay] }
    const options = { loadgen: programs.loadgen, candidate: relay, transport: 'obfs4', pinned: false }
    const figures: Figure[] = []
    await metrics['start']!(options, { ...quick, starts: 2 }, (...some) => void figures.push(...some))
    expect(figures.map(({ name }) => name)).toContain('start to METHODS DONE, server')
    expect(figures.every(({ value }) => value > 0)).toBe(true)
  })

  it('refuses addresses off the loopback', async () => {
    const child = launch(programs.loadgen, [programs.loadgen, 'ping', '--to', '192.0.2.1:9'])
    expect(await child.ended).toBe(1)
    expect(child.stderr).toContain('off the loopback')
  })
})

withPrograms('the processes of a run', () => {
  it('have an environment of their own', async () => {
    process.env['NODE_EXTRA_CA_CERTS'] = '/nowhere'
    onTestFinished(() => void delete process.env['NODE_EXTRA_CA_CERTS'])
    const child = launch(programs.loadgen, ['env'], { env: { TOR_PT_TEST: '1' } })
    const lines = await readLines(child, (line) => line.startsWith('TOR_PT_TEST='))
    expect(lines.map((line) => line.split('=')[0])).toEqual(['PATH', 'HOME', 'TOR_PT_TEST'])
  })

  it('are ended by stop, whatever they do about it', async () => {
    const stubborn = "trap '' TERM; echo up; while :; do sleep 1; done"
    const child = launch(programs.loadgen, ['sh', '-c', stubborn])
    await readLines(child, (line) => line === 'up')
    await stop(child, 100)
    expect(isAlive(child.process.pid!)).toBe(false)
  })

  it('do not outlive a run that is killed', async () => {
    const module = pathToFileURL(`${root}bench/children.mjs`).href
    const code = `import { launch } from '${module}'
      console.log(launch('${programs.loadgen}', ['sleep', '60']).process.pid)`
    const run = spawn(process.execPath, ['--input-type=module', '-e', code])
    const [pid] = (await once(run.stdout, 'data')) as [Buffer]
    run.kill('SIGKILL')
    await once(run, 'close')
    await expect.poll(() => isAlive(Number(pid)), { timeout: 10_000 }).toBe(false)
  })
})

function hasCompiler(): boolean {
  try {
    return findCompiler([process.env['CC'], 'cc', 'gcc', 'clang']) !== ''
  } catch {
    return false
  }
}

async function through<T>(name: string, use: (pair: Pair) => Promise<T>): Promise<T> {
  const candidate = candidates(programs).find((one) => one.name === name)!
  return await withPair({ loadgen: programs.loadgen, candidate, transport: 'obfs4', pinned: false }, use)
}

/** Straight to the far end, through a proxy that counts both ways together and changes one byte of what it counts. */
async function direct(
  { changeAt = -1 }: { changeAt?: number },
  use: (pair: Pair, crossed: () => number) => Promise<void>,
): Promise<void> {
  const options = { loadgen: programs.loadgen, candidate: { name: 'none' }, transport: 'obfs4', pinned: false }
  await withPair(options, async (pair) => {
    let crossed = 0
    const pass = (from: Socket, to: Socket): void => {
      from.on('data', (chunk) => {
        const at = changeAt - crossed
        if (at >= 0 && at < chunk.length) chunk[at]! ^= 1
        crossed += chunk.length
        if (!to.write(chunk)) from.pause()
      })
      to.on('drain', () => from.resume())
      from.on('error', () => undefined).on('close', () => to.destroy())
    }
    const proxy = createServer((client) => {
      const farEnd = connect(Number(pair.reach['to']!.split(':')[1]), '127.0.0.1')
      pass(client, farEnd)
      pass(farEnd, client)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const to = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
    await use({ ...pair, reach: { ...pair.reach, to } }, () => crossed)
    await new Promise((resolve) => proxy.close(resolve))
  })
}
