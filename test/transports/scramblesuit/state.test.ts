import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readPrivateFile, writePrivateFile, writePrivateFileSync } from '../../../src/transports/private-file.ts'
import { encodeBase32 } from '../../../src/transports/scramblesuit/base32.ts'
import { bridgeStatePath, openBridgeState, saveBridgeState } from '../../../src/transports/scramblesuit/bridge-state.ts'
import { openReplays } from '../../../src/transports/scramblesuit/replays.ts'
import { newTicketKeys, ticketLifetime } from '../../../src/transports/scramblesuit/ticket.ts'
import { openTicketStore, parseTicketPayload } from '../../../src/transports/scramblesuit/ticket-store.ts'
import { tempDir } from '../../support.ts'

const now = 1_700_000_000
const mode = (path: string): number => statSync(path).mode & 0o777
const stateFailure = expect.objectContaining({ code: 'PT_STATE' })

describe('private files', () => {
  test('have mode 0600, are replaced as a whole, and leave no drafts', async () => {
    const dir = tempDir()
    const file = join(dir, 'state')
    expect(await readPrivateFile(file)).toBeUndefined()
    for (const text of ['first', 'second', '']) {
      await writePrivateFile(file, text)
      expect(await readPrivateFile(file)).toBe(text)
      expect(mode(file)).toBe(0o600)
      writePrivateFileSync(file, `${text}, at once`)
      expect(await readPrivateFile(file)).toBe(`${text}, at once`)
      expect(mode(file)).toBe(0o600)
    }
    expect(readdirSync(dir)).toEqual(['state'])
  })

  test('PT_STATE: a file that cannot be read is not missing; one that cannot be written leaves no draft', async () => {
    const dir = tempDir()
    mkdirSync(join(dir, 'state'))
    await expect(readPrivateFile(join(dir, 'state'))).rejects.toMatchObject({
      code: 'PT_STATE',
      message: 'state file state cannot be read (EISDIR)',
    })
    await expect(writePrivateFile(join(dir, 'state'), 'text')).rejects.toEqual(stateFailure)
    expect(() => writePrivateFileSync(join(dir, 'state'), 'text')).toThrow(stateFailure)
    await expect(writePrivateFile(join(dir, 'no', 'state'), 'text')).rejects.toMatchObject({
      message: 'state file state cannot be written (ENOENT)',
    })
    expect(readdirSync(dir)).toEqual(['state'])
  })
})

describe('ticket store', () => {
  const ticket = (): { master: Buffer; ticket: Buffer } => ({ master: randomBytes(32), ticket: randomBytes(112) })
  const file = (dir: string): string => join(dir, 'scramblesuit_tickets.json')

  test('keeps one ticket for each bridge, in the reference’s format and for its owner alone', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir)
    expect(existsSync(file(dir))).toBe(false)
    const [first, second] = [ticket(), ticket()]
    store.put('192.0.2.1:443', first, now)
    store.put('[2001:db8::1]:443', second, now + 1)
    store.put('192.0.2.1:443', second, now + 2)
    const text = encodeBase32(Buffer.concat([second.master, second.ticket]))
    expect(text).toHaveLength(232)
    expect(JSON.parse(readFileSync(file(dir), 'utf8'))).toEqual({
      '192.0.2.1:443': { 'key-ticket': text, issuedAt: now + 2 },
      '[2001:db8::1]:443': { 'key-ticket': text, issuedAt: now + 1 },
    })
    expect(mode(file(dir))).toBe(0o600)
  })

  test('reads what the reference has written', async () => {
    const dir = tempDir()
    const bytes = Buffer.from(Array.from({ length: 144 }, (_, i) => i))
    const entry = { 'key-ticket': encodeBase32(bytes), issuedAt: now }
    writeFileSync(file(dir), JSON.stringify({ '127.0.0.1:45671': entry }))
    const taken = await (await openTicketStore(dir)).take('127.0.0.1:45671', now)
    expect(taken).toEqual({ master: bytes.subarray(0, 32), ticket: bytes.subarray(32) })
  })

  test('gives each ticket out once, whoever asks at the same time, and has it out of the file by then', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir)
    store.put('a:1', ticket(), now)
    const taken = await Promise.all([store.take('a:1', now), store.take('a:1', now), store.take('b:1', now)])
    expect(taken.filter((one) => one !== undefined)).toHaveLength(1)
    expect(readFileSync(file(dir), 'utf8')).toBe('{}')
    expect(await (await openTicketStore(dir)).take('a:1', now)).toBeUndefined()
  })

  test('forgets a ticket after seven days', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir)
    store.put('a:1', ticket(), now)
    store.put('b:1', ticket(), now + 1)
    expect(await store.take('a:1', now + ticketLifetime + 1)).toBeUndefined()
    expect(await store.take('b:1', now + ticketLifetime + 1)).toBeDefined()
  })

  test('remembers a thousand bridges and not more', async () => {
    const dir = tempDir()
    const entry = { 'key-ticket': encodeBase32(randomBytes(144)), issuedAt: now }
    writeFileSync(
      file(dir),
      JSON.stringify(Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`a:${i}`, entry]))),
    )
    const store = await openTicketStore(dir)
    store.put('b:1', ticket(), now)
    expect(Object.keys(JSON.parse(readFileSync(file(dir), 'utf8')) as object)).toHaveLength(1000)
    expect(await store.take('b:1', now)).toBeDefined()
  })

  test('PT_STATE: a ticket that cannot be struck out is not given out', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir)
    store.put('a:1', ticket(), now)
    chmodSync(dir, 0o500)
    try {
      if (process.getuid?.() === 0) return // root writes where it may not
      await expect(store.take('a:1', now)).rejects.toEqual(stateFailure)
    } finally {
      chmodSync(dir, 0o700)
    }
  })

  const good = encodeBase32(randomBytes(144))
  test.each([
    ['', 'nothing'],
    ['{', 'no JSON'],
    ['null', 'no object'],
    ['{"a:1":null}', 'no entry'],
    ['{"a:1":{"issuedAt":1}}', 'no ticket'],
    [`{"a:1":{"key-ticket":"${good}"}}`, 'no time'],
    [`{"a:1":{"key-ticket":"${good}","issuedAt":"1"}}`, 'a time that is no number'],
    [`{"a:1":{"key-ticket":"${good.slice(8)}","issuedAt":1}}`, 'a short ticket'],
    [`{"a:1":{"key-ticket":"1${good.slice(1)}","issuedAt":1}}`, 'no base32'],
  ])('PT_STATE: %j is not read (%s), not repeated, and not written over', async (text) => {
    const dir = tempDir()
    writeFileSync(file(dir), text)
    await expect(openTicketStore(dir)).rejects.toMatchObject({
      code: 'PT_STATE',
      message: 'state file scramblesuit_tickets.json does not hold scramblesuit tickets',
    })
    expect(readFileSync(file(dir), 'utf8')).toBe(text)
  })

  test('a ticket packet holds exactly 144 bytes', () => {
    expect(parseTicketPayload(Buffer.alloc(144))).toEqual({ master: Buffer.alloc(32), ticket: Buffer.alloc(112) })
    for (const length of [0, 143, 145]) expect(parseTicketPayload(Buffer.alloc(length))).toBeUndefined()
  })
})

describe('bridge state', () => {
  test('is made once, for its owner alone, and read back the same', async () => {
    const path = bridgeStatePath(tempDir())
    const state = await openBridgeState(path, now)
    expect(mode(path)).toBe(0o600)
    expect(state.password).toMatch(/^[A-Z2-7]{32}$/)
    expect(state.drainBytes).toBeGreaterThanOrEqual(1532)
    expect(state.drainBytes).toBeLessThanOrEqual(7660)
    expect(await openBridgeState(path, now + 1)).toEqual(state)
    const rotated = { ...state, ticketKeys: [newTicketKeys(now + 5), state.ticketKeys[0]] as const }
    await saveBridgeState(path, rotated)
    expect(await openBridgeState(path, now + 5)).toEqual(rotated)
  })

  test('no two bridges are alike', async () => {
    const states = await Promise.all([1, 2].map(() => openBridgeState(bridgeStatePath(tempDir()), now)))
    expect(states[0]?.password).not.toBe(states[1]?.password)
    expect(states[0]?.seed).not.toEqual(states[1]?.seed)
  })

  test('PT_STATE: whatever else is in the file is an error that does not repeat it, and stays as it is', async () => {
    const path = bridgeStatePath(tempDir())
    await openBridgeState(path, now)
    const text = readFileSync(path, 'utf8')
    const json = JSON.parse(text) as Record<string, unknown>
    const broken: unknown[] = [
      ...Object.keys(json).map((left) => Object.fromEntries(Object.entries(json).filter(([key]) => key !== left))),
      { ...json, password: 'A'.repeat(31) },
      { ...json, 'prng-seed': 'xy'.repeat(32) },
      { ...json, 'drain-bytes': 1531 },
      { ...json, 'drain-bytes': 7661 },
      { ...json, 'close-delay': 1.5 },
      { ...json, 'ticket-keys': [] },
      { ...json, 'ticket-keys': [{ created: 1, cipher: '00', mac: '00' }] },
      null,
      [],
    ]
    const texts = [...broken.map((one) => JSON.stringify(one)), ...Array.from(text, (_, at) => text.slice(0, at))]
    for (const bad of texts) {
      writeFileSync(path, bad)
      const error = await openBridgeState(path, now).catch((error: unknown) => error)
      expect(error).toEqual(stateFailure)
      expect((error as Error).cause).toBeUndefined()
      expect((error as Error).message).toMatch(
        /^state file scramblesuit_state.json does not hold a scramblesuit server's state/,
      )
      expect(readFileSync(path, 'utf8')).toBe(bad)
    }
  })
})

describe('replays', () => {
  const path = (): string => join(tempDir(), 'scramblesuit_replays')
  const hour = 480_000

  test('are told while their hour is accepted, and also after a restart', async () => {
    const file = path()
    const [mac, other] = [randomBytes(16), randomBytes(16)]
    const replays = await openReplays(file, hour)
    expect(replays.admit(mac, hour, hour)).toBe(true)
    expect(replays.admit(mac, hour, hour)).toBe(false)
    expect(replays.admit(other, hour + 1, hour)).toBe(true)
    await replays.saved()
    expect(mode(file)).toBe(0o600)
    const later = await openReplays(file, hour + 1)
    expect(later.admit(mac, hour, hour + 1)).toBe(false)
    expect(later.admit(other, hour + 1, hour + 2)).toBe(false)
    await later.saved()
    expect(readFileSync(file, 'utf8')).toBe(`${hour} ${mac.toString('hex')}\n${hour + 1} ${other.toString('hex')}\n`)
  })

  test('are forgotten with their hour, in memory and in the file', async () => {
    const file = path()
    const replays = await openReplays(file, hour)
    const mac = randomBytes(16)
    replays.admit(mac, hour, hour)
    await replays.saved()
    expect(replays.admit(mac, hour + 2, hour + 2)).toBe(true)
    await openReplays(file, hour + 4)
    expect(readFileSync(file, 'utf8')).toBe('')
  })

  test('do not grow without bound: the file is rewritten, and beyond 102,400 the oldest go', async () => {
    const file = path()
    const replays = await openReplays(file, hour)
    const macs = Array.from({ length: 2200 }, () => randomBytes(16))
    for (const mac of macs.slice(0, 2000)) replays.admit(mac, hour, hour)
    await replays.saved()
    for (const mac of macs.slice(2000)) replays.admit(mac, hour + 3, hour + 3)
    await replays.saved()
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(201)
    for (let i = 0; i < 102_400; i++)
      replays.admit(Buffer.from(i.toString(16).padStart(32, '0'), 'hex'), hour + 3, hour + 3)
    expect(replays.admit(Buffer.alloc(16), hour + 3, hour + 3)).toBe(false)
    expect(replays.admit(macs[2000] ?? Buffer.alloc(0), hour + 3, hour + 3)).toBe(true)
  })

  test('a line cut off by a crash is dropped; PT_STATE: any other that is none is an error', async () => {
    const file = path()
    const mac = randomBytes(16)
    const line = `${hour} ${mac.toString('hex')}\n`
    for (let at = 0; at < line.length; at++) {
      writeFileSync(file, line + line.slice(0, at))
      expect((await openReplays(file, hour)).admit(mac, hour, hour)).toBe(false)
      writeFileSync(file, line.slice(0, at))
      expect((await openReplays(file, hour)).admit(mac, hour, hour)).toBe(true)
    }
    for (const bad of ['\n', 'x\n', line.slice(1, -3) + '\n', `${line}{}\n${line}`]) {
      writeFileSync(file, bad)
      await expect(openReplays(file, hour)).rejects.toEqual(stateFailure)
      expect(readFileSync(file, 'utf8')).toBe(bad)
    }
  })

  test('PT_STATE: what could not be written is said, and written when it can be', async () => {
    const file = path()
    const replays = await openReplays(file, hour)
    const text = readFileSync(file)
    rmSync(file)
    mkdirSync(file)
    const mac = randomBytes(16)
    expect(replays.admit(mac, hour, hour)).toBe(true)
    await expect(replays.saved()).rejects.toEqual(stateFailure)
    await expect(replays.saved()).rejects.toEqual(stateFailure)
    rmSync(file, { recursive: true })
    writeFileSync(file, text)
    await replays.saved()
    expect(readFileSync(file, 'utf8')).toBe(`${hour} ${mac.toString('hex')}\n`)
  })
})
