import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeBase32 } from '../../../src/transports/scramblesuit/base32.ts'
import { bridgeStatePath, openBridgeState, saveBridgeState } from '../../../src/transports/scramblesuit/bridge-state.ts'
import type { SeenFile } from '../../../src/transports/scramblesuit/seen-file.ts'
import { openSeenFile } from '../../../src/transports/scramblesuit/seen-file.ts'
import { newTicketKeys, rotateTicketKeys, ticketLifetime } from '../../../src/transports/scramblesuit/ticket.ts'
import { openTicketStore, parseTicketPayload } from '../../../src/transports/scramblesuit/ticket-store.ts'
import { tempDir } from '../../support.ts'

const now = 1_700_000_000
const mode = (path: string): number => statSync(path).mode & 0o777
const stateFailure = expect.objectContaining({ code: 'PT_STATE' })

describe('ticket store', () => {
  const ticket = (): { master: Buffer; ticket: Buffer } => ({ master: randomBytes(32), ticket: randomBytes(112) })
  const file = (dir: string): string => join(dir, 'scramblesuit_tickets.json')

  test('keeps one ticket for each bridge, in the reference’s format and for its owner alone', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir, now)
    expect(existsSync(file(dir))).toBe(false)
    const [first, second] = [ticket(), ticket()]
    await store.put('192.0.2.1:443', first, now)
    await store.put('[2001:db8::1]:443', second, now + 1)
    await store.put('192.0.2.1:443', second, now + 2)
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
    const taken = await (await openTicketStore(dir, now)).take('127.0.0.1:45671', now)
    expect(taken).toEqual({ master: bytes.subarray(0, 32), ticket: bytes.subarray(32) })
  })

  test('gives each ticket out once, whoever asks at the same time, and has it out of the file by then', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir, now)
    await store.put('a:1', ticket(), now)
    const taken = await Promise.all([store.take('a:1', now), store.take('a:1', now), store.take('b:1', now)])
    expect(taken.filter((one) => one !== undefined)).toHaveLength(1)
    expect(readFileSync(file(dir), 'utf8')).toBe('{}')
    expect(await store.take('a:1', now)).toBeUndefined()
  })

  test('is one for each directory, by whatever path it is reached', async () => {
    const dir = tempDir()
    symlinkSync(dir, join(dir, 'link'))
    const store = await openTicketStore(dir, now)
    expect(await openTicketStore(`${dir}/.`, now)).toBe(store)
    expect(await openTicketStore(join(dir, 'link'), now)).toBe(store)
    expect(await openTicketStore(tempDir(), now)).not.toBe(store)
  })

  test('a ticket that was used stays used when an old copy of the file comes back', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir, now)
    await store.put('a:1', ticket(), now)
    const before = readFileSync(file(dir))
    expect(await store.take('a:1', now)).toBeDefined()
    writeFileSync(file(dir), before)
    expect(await store.take('a:1', now)).toBeUndefined()
    expect(readFileSync(file(dir), 'utf8')).toBe('{}')
  })

  test('of several tickets that come at once the last is kept, and one write under way holds up one more and not all', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir, now)
    const tickets = Array.from({ length: 6_000 }, ticket)
    await Promise.all(tickets.map((one) => store.put('a:1', one, now)))
    expect(await store.take('a:1', now)).toEqual(tickets.at(-1))
  })

  test('what was used is forgotten by files of a day, when none of its tickets is good any more', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir, now)
    const spent = (): string[] => readdirSync(dir).filter((name) => name.startsWith('scramblesuit_spent_'))
    for (const time of [now, now + 86_400, now + 86_401]) {
      await store.put('a:1', ticket(), time)
      expect(await store.take('a:1', time)).toBeDefined()
    }
    expect(spent()).toEqual(['scramblesuit_spent_19675', 'scramblesuit_spent_19676'])
    await store.tidy(now + ticketLifetime + 86_400)
    expect(spent()).toHaveLength(2)
    await store.tidy(now + ticketLifetime + 2 * 86_400)
    expect(spent()).toEqual(['scramblesuit_spent_19676'])
    // In a process that runs for weeks, the first ticket of a day does the same.
    const later = now + 20 * 86_400
    await store.put('a:1', ticket(), later)
    await store.take('a:1', later)
    expect(spent()).toEqual(['scramblesuit_spent_19695'])
    await store.tidy(now - 10 * 365 * 86_400)
    expect(spent()).toHaveLength(1)
  })

  test.each(['', 'ab', '0'.repeat(32), `${'0'.repeat(32)} 0123`])(
    'a claim that a full disk has cut off (%j) is none, and costs nobody a ticket',
    async (half) => {
      const dir = tempDir()
      const store = await openTicketStore(dir, now)
      const one = ticket()
      await store.put('a:1', one, now)
      const id = createHash('sha256')
        .update(Buffer.concat([one.master, one.ticket]))
        .digest('hex')
        .slice(0, 32)
      writeFileSync(join(dir, 'scramblesuit_spent_19675'), half.replace(/^0{32}/, id))
      expect(await store.take('a:1', now)).toEqual(one)
    },
  )

  test('a ticket of a time to come is not used, as the clock was wrong or is, and not lost', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir, now)
    const tenYears = 10 * 365 * 86_400
    await store.put('a:1', ticket(), now + tenYears)
    expect(await store.take('a:1', now)).toBeUndefined()
    expect(await store.take('a:1', now + tenYears)).toBeDefined()
    await store.put('a:1', ticket(), now + 60)
    expect(await store.take('a:1', now)).toBeDefined()
  })

  test('forgets a ticket after seven days', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir, now)
    await store.put('a:1', ticket(), now)
    await store.put('b:1', ticket(), now + 1)
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
    const store = await openTicketStore(dir, now)
    await store.put('b:1', ticket(), now)
    expect(Object.keys(JSON.parse(readFileSync(file(dir), 'utf8')) as object)).toHaveLength(1000)
    expect(await store.take('b:1', now)).toBeDefined()
  })

  test('PT_STATE: a ticket whose use cannot be written down is not used', async () => {
    const dir = tempDir()
    const store = await openTicketStore(dir, now)
    await store.put('a:1', ticket(), now)
    mkdirSync(join(dir, 'scramblesuit_spent_19675'))
    await expect(store.take('a:1', now)).rejects.toEqual(stateFailure)
    rmdirSync(join(dir, 'scramblesuit_spent_19675'))
    expect(await store.take('a:1', now)).toBeDefined()
  })

  test('PT_STATE: tickets that cannot be read or written are said, and the next ones are kept again', async () => {
    const dir = tempDir()
    mkdirSync(file(dir))
    const store = await openTicketStore(dir, now)
    await expect(store.take('a:1', now)).rejects.toEqual(stateFailure)
    await expect(store.put('a:1', ticket(), now)).rejects.toEqual(stateFailure)
    rmdirSync(file(dir))
    await store.put('a:1', ticket(), now)
    expect(await store.take('a:1', now)).toBeDefined()
  })

  const good = encodeBase32(randomBytes(144))
  test.each([
    ['', 'nothing'],
    ['{', 'no JSON'],
    ['null', 'no object'],
    ['7', 'a number'],
    ['{"a:1":null}', 'no entry'],
    ['{"a:1":{"issuedAt":1}}', 'no ticket'],
    [`{"a:1":{"key-ticket":"${good}"}}`, 'no time'],
    [`{"a:1":{"key-ticket":"${good}","issuedAt":"1"}}`, 'a time that is no number'],
    [`{"a:1":{"key-ticket":"${good.slice(8)}","issuedAt":1}}`, 'a short ticket'],
    [`{"a:1":{"key-ticket":"1${good.slice(1)}","issuedAt":1}}`, 'no base32'],
  ])('%j holds no ticket (%s), and is no failure', async (text) => {
    const dir = tempDir()
    writeFileSync(file(dir), text)
    const store = await openTicketStore(dir, now)
    expect(await store.take('a:1', now)).toBeUndefined()
    await store.put('b:1', ticket(), now)
    expect(Object.keys(JSON.parse(readFileSync(file(dir), 'utf8')) as object)).toEqual(['b:1'])
  })

  test('beside an entry that cannot be read the others are', async () => {
    const dir = tempDir()
    writeFileSync(file(dir), `{"a:1":{},"b:1":{"key-ticket":"${good}","issuedAt":${now}}}`)
    expect(await (await openTicketStore(dir, now)).take('b:1', now)).toBeDefined()
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

  test('two that make it at the same time have one', async () => {
    const path = bridgeStatePath(tempDir())
    const [first, ...others] = await Promise.all([1, 2, 3, 4].map(() => openBridgeState(path, now)))
    for (const other of others) expect(other).toEqual(first)
    expect(await openBridgeState(path, now)).toEqual(first)
  })

  test.each([0, -1, 2 ** 32, 2 ** 40])('what is written at second %d is read again', async (time) => {
    const path = bridgeStatePath(tempDir())
    const state = await openBridgeState(path, time)
    await saveBridgeState(path, { ...state, ticketKeys: rotateTicketKeys(state.ticketKeys, time + ticketLifetime) })
    expect((await openBridgeState(path, now)).password).toBe(state.password)
  })

  test('PT_STATE: what could not be read again is not written', async () => {
    const path = bridgeStatePath(tempDir())
    const state = await openBridgeState(path, now)
    const text = readFileSync(path, 'utf8')
    await expect(saveBridgeState(path, { ...state, drainBytes: Number.NaN })).rejects.toEqual(stateFailure)
    expect(readFileSync(path, 'utf8')).toBe(text)
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
  const open = (
    file: string,
    now: number,
    warn: (message: string) => void = (message) => expect.fail(message),
  ): Promise<SeenFile> => openSeenFile(file, now, warn)

  test('are told while their hour is accepted, and also after a restart', async () => {
    const file = path()
    const [mac, other] = [randomBytes(16), randomBytes(16)]
    const replays = await open(file, hour)
    expect(replays.admit(mac, hour, hour)).toBe(true)
    expect(replays.admit(mac, hour, hour)).toBe(false)
    expect(replays.admit(other, hour + 1, hour)).toBe(true)
    await replays.saved()
    expect(mode(file)).toBe(0o600)
    const later = await open(file, hour + 1)
    expect(later.admit(mac, hour, hour + 1)).toBe(false)
    expect(later.admit(other, hour + 1, hour + 2)).toBe(false)
    await later.saved()
    expect(readFileSync(file, 'utf8')).toBe(`${hour} ${mac.toString('hex')}\n${hour + 1} ${other.toString('hex')}\n`)
  })

  test('of a full file are read in many turns of the event loop, and none is missed', async () => {
    const file = path()
    const ids = Array.from({ length: 204_800 }, (_, at) => at.toString(16).padStart(32, '0'))
    writeFileSync(file, ids.map((id, at) => `${hour + (at % 2) * 100} ${id}\n`).join(''))
    let turns = 0
    let opened = false
    const turn = (): void => void (turns++, opened || setImmediate(turn))
    setImmediate(turn)
    const replays = await open(file, hour)
    opened = true
    expect(turns).toBeGreaterThanOrEqual(49)
    for (const at of [0, 1, 4_095, 4_096, 204_799])
      expect(replays.admit(Buffer.from(ids[at]!, 'hex'), hour, hour)).toBe(false)
    expect(replays.admit(randomBytes(16), hour, hour)).toBe(true)
  })

  test('are forgotten with their hour, in memory and in the file', async () => {
    const file = path()
    const replays = await open(file, hour)
    const mac = randomBytes(16)
    replays.admit(mac, hour, hour)
    await replays.saved()
    expect(replays.admit(mac, hour + 2, hour + 2)).toBe(true)
    await open(file, hour + 4)
    expect(readFileSync(file, 'utf8')).toBe('')
  })

  test('do not grow without bound: the file is rewritten, and beyond 102,400 the oldest go', async () => {
    const file = path()
    const replays = await open(file, hour)
    const macs = Array.from({ length: 2200 }, () => randomBytes(16))
    for (const mac of macs.slice(0, 2000)) replays.admit(mac, hour, hour)
    await replays.saved()
    for (const mac of macs.slice(2000)) replays.admit(mac, hour + 3, hour + 3)
    await replays.saved()
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(201)
    for (let i = 0; i < 102_400; i++)
      replays.admit(Buffer.from(i.toString(16).padStart(32, '0'), 'hex'), hour + 3, hour + 3)
    expect(replays.admit(Buffer.alloc(16), hour + 3, hour + 3)).toBe(false)
    replays.admit(randomBytes(16), hour + 3, hour + 3)
    expect(replays.admit(macs[2000] ?? Buffer.alloc(0), hour + 3, hour + 3)).toBe(true)
  })

  test('a ticket is told as long as it can be good, also after a restart and by clocks that were wrong', async () => {
    const file = path()
    const [ticket, other] = [randomBytes(112), randomBytes(112)]
    const first = await open(file, hour)
    expect([ticket, ticket, other].map((one) => first.admitTicket(one, hour))).toEqual([true, false, true])
    expect(first.admit(ticket.subarray(-16), hour, hour)).toBe(false)
    await first.saved()
    for (const now of [hour, hour + 1, hour + 7 * 24, hour - 300_000, hour]) {
      const again = await open(file, now)
      expect(again.admitTicket(ticket, now)).toBe(false)
      expect(again.admitTicket(other, now)).toBe(false)
    }
    expect((await open(file, hour + 8 * 24)).admitTicket(ticket, hour + 8 * 24)).toBe(true)
  })

  test('hellos are forgotten with their hour, however many tickets are not', async () => {
    const file = path()
    const replays = await open(file, hour)
    replays.admitTicket(randomBytes(112), hour)
    replays.admit(randomBytes(16), hour, hour)
    await replays.saved()
    await open(file, hour + 2)
    expect(readFileSync(file, 'utf8')).toMatch(/^480170 [0-9a-f]{32}\n$/)
  })

  test('lines that are none are passed over, wherever they stand, and what follows half a line is read', async () => {
    const file = path()
    const [mac, next] = [randomBytes(16), randomBytes(16)]
    const line = `${hour} ${mac.toString('hex')}\n`
    for (let at = 0; at < line.length; at++) {
      writeFileSync(file, line + line.slice(0, at))
      expect((await open(file, hour)).admit(mac, hour, hour)).toBe(false)
      writeFileSync(file, line.slice(0, at))
      const replays = await open(file, hour)
      expect(replays.admit(mac, hour, hour)).toBe(true)
      replays.admit(next, hour, hour)
      await replays.saved()
      const again = await open(file, hour)
      expect([again.admit(mac, hour, hour), again.admit(next, hour, hour)]).toEqual([false, false])
    }
    for (const bad of ['x\n', '\0'.repeat(4096), line.slice(1, -3) + '\n', '{}\n']) {
      writeFileSync(file, bad + (bad.endsWith('\n') ? '' : '\n') + line)
      expect((await open(file, hour)).admit(mac, hour, hour)).toBe(false)
      expect(readFileSync(file, 'utf8')).toBe(line)
    }
  })

  test('two processes with one file take each hello and each ticket once, however they come to both', async () => {
    const file = path()
    const [one, two] = [await open(file, hour), await open(file, hour)]
    const [first, second, both, ticket] = [16, 16, 16, 112].map((size) => randomBytes(size)) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ]
    expect(one.admit(first, hour, hour)).toBe(true)
    expect(await one.saved(first)).toBe(true)
    expect(two.admit(second, hour, hour)).toBe(true)
    expect(await two.saved(second)).toBe(true)
    expect(two.admit(first, hour, hour)).toBe(false)
    // At the same moment: neither knows of the other before it has written.
    expect([one.admit(both, hour, hour), two.admit(both, hour, hour)]).toEqual([true, true])
    expect((await Promise.all([one.saved(both), two.saved(both)])).filter((taken) => taken).length).toBeLessThan(2)
    expect([one.admitTicket(ticket, hour), two.admitTicket(ticket, hour + 1)]).toEqual([true, true])
    await two.saved()
    expect(await one.saved(ticket)).toBe(false)
    expect(one.admit(second, hour, hour)).toBe(false)
  })

  test('a process learns what another has taken when that one writes the file as a whole', async () => {
    const file = path()
    const one = await open(file, hour)
    const macs = Array.from({ length: 1_100 }, () => randomBytes(16))
    for (const mac of macs) one.admit(mac, hour, hour)
    await one.saved()
    const two = await open(file, hour + 5)
    expect(readFileSync(file, 'utf8')).toBe('')
    const late = randomBytes(16)
    two.admit(late, hour + 5, hour + 5)
    await two.saved(late)
    const own = randomBytes(16)
    one.admit(own, hour + 5, hour + 5)
    expect(await one.saved(own)).toBe(true)
    expect(one.admit(late, hour + 5, hour + 5)).toBe(false)
  })

  test('a file that cannot be read, or tidied, is said and costs nothing else', async () => {
    const file = path()
    mkdirSync(file)
    const said: string[] = []
    const replays = await open(file, hour, (message) => said.push(message))
    expect(said).toEqual([
      'state file scramblesuit_replays cannot be read (EISDIR): handshakes that were seen before this start are not known',
    ])
    const mac = randomBytes(16)
    expect([replays.admit(mac, hour, hour), replays.admit(mac, hour, hour)]).toEqual([true, false])
    await expect(replays.saved()).rejects.toEqual(stateFailure)
  })

  test('PT_STATE: what could not be written is said, and written when it can be', async () => {
    const file = path()
    const replays = await open(file, hour)
    mkdirSync(file)
    const macs = Array.from({ length: 12_000 }, () => randomBytes(16))
    for (const mac of macs.slice(0, 2)) {
      expect(replays.admit(mac, hour, hour)).toBe(true)
      await expect(replays.saved()).rejects.toEqual(stateFailure)
    }
    rmdirSync(file)
    await replays.saved()
    const lines = (some: Buffer[]): string => some.map((mac) => `${hour} ${mac.toString('hex')}\n`).join('')
    expect(readFileSync(file, 'utf8')).toBe(lines(macs.slice(0, 2)))
    // So many that they are not kept for the next append: the file is written as a whole.
    rmSync(file)
    mkdirSync(file)
    for (const mac of macs.slice(2)) replays.admit(mac, hour, hour)
    await expect(replays.saved()).rejects.toEqual(stateFailure)
    await expect(replays.saved()).rejects.toEqual(stateFailure)
    rmdirSync(file)
    await replays.saved()
    expect(readFileSync(file, 'utf8')).toBe(lines(macs))
  })
})
