import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Args } from '../../../src/ipc/index.ts'
import { formatCert } from '../../../src/transports/obfs4/cert.ts'
import { systemMachine } from '../../../src/transports/obfs4/machine.ts'
import { makeObfs4 } from '../../../src/transports/obfs4/make.ts'
import { closeDelay } from '../../../src/transports/obfs4/server-identity.ts'
import type { ServerState } from '../../../src/transports/obfs4/state.ts'
import { formatState, loadServerState, parseState } from '../../../src/transports/obfs4/state.ts'
import { tempDir } from '../../support.ts'
import { hex, transportVectors } from '../../transport-vectors.ts'
import { handshakeVector, identity, identityOptions, makeServer } from './support.ts'

const { 'private-key': privateKey, 'node-id': nodeId, 'drbg-seed': drbgSeed } = identityOptions
const publicKey = identity.publicKey.toString('hex')

/** As obfs4proxy 0.0.14 writes it. */
const written = `{"node-id":"${nodeId}","private-key":"${privateKey}","public-key":"${publicKey}","drbg-seed":"${drbgSeed}","iat-mode":1}`

const stateIn = (folder: string): string => join(folder, 'obfs4_state.json')
const load = (folder: string, args: Record<string, string> = {}): Promise<ServerState> =>
  loadServerState(folder, Args.from(args), systemMachine, () => undefined)

describe('a bridge’s state', () => {
  test('is made at the first start and the same at the next', async () => {
    const folder = tempDir()
    const first = await load(folder)
    const text = await readFile(stateIn(folder), 'utf8')
    expect(text).toMatch(
      /^\{"node-id":"[0-9a-f]{40}","private-key":"[0-9a-f]{64}","public-key":"[0-9a-f]{64}","drbg-seed":"[0-9a-f]{48}","iat-mode":0\}$/,
    )
    const second = await load(folder)
    expect(formatCert(second.identity)).toBe(formatCert(first.identity))
    expect(second.identity.drbgSeed).toEqual(first.identity.drbgSeed)
    expect(await readFile(stateIn(folder), 'utf8')).toBe(text)
    expect(formatCert((await load(tempDir())).identity)).not.toBe(formatCert(first.identity))
  })

  test('several first starts at once serve one identity, which the next start has too', async () => {
    const folder = tempDir()
    const certs = (await Promise.all(Array.from({ length: 8 }, () => load(folder)))).map((state) =>
      formatCert(state.identity),
    )
    expect(new Set(certs).size).toBe(1)
    expect(formatCert((await load(folder)).identity)).toBe(certs[0])
    expect((await readdir(folder)).toSorted()).toEqual(['obfs4_bridgeline.txt', 'obfs4_state.json'])
  })

  test('a file that every user of the machine can read is used, and said in one LOG line, unless its folder is closed', async () => {
    const folder = tempDir()
    const said: string[] = []
    const start = async (mode: number, folderMode: number): Promise<void> => {
      await writeFile(stateIn(folder), written)
      await chmod(stateIn(folder), mode)
      await chmod(folder, folderMode)
      await loadServerState(folder, Args.from({}), systemMachine, (severity, text) => said.push(`${severity} ${text}`))
    }
    await start(0o644, 0o755)
    const why = 'every user of this machine could read or change it, and may know its secrets'
    expect(said).toEqual([`warning state file obfs4_state.json has mode 0644: ${why}`])
    expect((await stat(stateIn(folder))).mode & 0o777).toBe(0o600)
    await start(0o644, 0o700)
    await start(0o640, 0o755)
    await start(0o600, 0o755)
    expect(said).toHaveLength(1)
  })

  test('a start removes the drafts of one that was killed, with the keys in them', async () => {
    const folder = tempDir()
    for (const name of ['obfs4_state.json', 'obfs4_bridgeline.txt']) {
      await writeFile(join(folder, `${name}.0123456789ab.tmp`), written)
    }
    await load(folder)
    expect((await readdir(folder)).toSorted()).toEqual(['obfs4_bridgeline.txt', 'obfs4_state.json'])
  })

  test('of what says nothing new, nothing has to be written: that it cannot be is a warning', async () => {
    const folder = tempDir()
    await writeFile(stateIn(folder), written)
    await mkdir(join(folder, 'obfs4_bridgeline.txt'))
    const said: string[] = []
    const log = (severity: string, message: string): unknown => said.push(`${severity}: ${message}`)
    const { identity: loaded } = await loadServerState(folder, Args.none, systemMachine, log)
    expect(formatCert(loaded)).toBe(handshakeVector.cert)
    expect(said).toEqual(['warning: state file obfs4_bridgeline.txt cannot be written (EISDIR)'])
    // An identity of the options is there again at the next start, whatever becomes of the file.
    said.length = 0
    const missing = join(folder, 'missing')
    const given = await loadServerState(missing, Args.from(identityOptions), systemMachine, log)
    expect(formatCert(given.identity)).toBe(handshakeVector.cert)
    expect(said).toEqual([
      'warning: state file obfs4_state.json cannot be written (ENOENT)',
      'warning: state file obfs4_bridgeline.txt cannot be written (ENOENT)',
    ])
  })

  test('lies in two files that only their owner reads, and nothing is left beside them', async () => {
    const folder = tempDir()
    await writeFile(stateIn(folder), written, { mode: 0o644 })
    await load(folder)
    expect((await readdir(folder)).toSorted()).toEqual(['obfs4_bridgeline.txt', 'obfs4_state.json'])
    for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })

  test('the bridge line has its three blanks behind a comment and an empty line', async () => {
    const folder = tempDir()
    await writeFile(stateIn(folder), written)
    await load(folder)
    const lines = (await readFile(join(folder, 'obfs4_bridgeline.txt'), 'utf8')).split('\n')
    const empty = lines.indexOf('')
    expect(lines.slice(0, empty).every((line) => line.startsWith('#'))).toBe(true)
    expect(lines.slice(empty)).toEqual([
      '',
      `Bridge obfs4 <IP ADDRESS>:<PORT> <FINGERPRINT> cert=${handshakeVector.cert} iat-mode=1`,
      '',
    ])
  })

  test('a file of obfs4proxy is read, and written as it was', async () => {
    const folder = tempDir()
    await writeFile(stateIn(folder), written)
    const { identity: loaded, iatMode } = await load(folder)
    expect(formatCert(loaded)).toBe(handshakeVector.cert)
    expect(iatMode).toBe(1)
    expect(await readFile(stateIn(folder), 'utf8')).toBe(written)
  })

  test('the public key of the file is not looked at, nor is what obfs4 does not know', async () => {
    const folder = tempDir()
    await writeFile(stateIn(folder), written.replace(publicKey, '').replace('{', '{ "other": [1],\n'))
    expect(formatCert((await load(folder)).identity)).toBe(handshakeVector.cert)
    expect(await readFile(stateIn(folder), 'utf8')).toBe(written.replace(publicKey, ''))
  })

  test('options come before the file, and leave the public key empty', async () => {
    const folder = tempDir()
    await load(folder)
    const { identity: loaded, iatMode } = await load(folder, { ...identityOptions, 'node-id': nodeId.toUpperCase() })
    expect([formatCert(loaded), iatMode]).toEqual([handshakeVector.cert, 0])
    const kept = written.replace(publicKey, '').replace('"iat-mode":1', '"iat-mode":0')
    expect(await readFile(stateIn(folder), 'utf8')).toBe(kept)
    expect(formatCert((await load(folder)).identity)).toBe(handshakeVector.cert)
  })

  test('an iat-mode of the options counts with either, and is kept', async () => {
    const folder = tempDir()
    expect((await load(folder, { 'iat-mode': '2' })).iatMode).toBe(2)
    expect((await load(folder)).iatMode).toBe(2)
    expect((await load(folder, { ...identityOptions, 'iat-mode': '1' })).iatMode).toBe(1)
  })

  test('of a drbg-seed that is too long the first 24 bytes count', async () => {
    const { identity: loaded } = await load(tempDir(), { ...identityOptions, 'drbg-seed': `${drbgSeed}ffff` })
    expect(loaded.drbgSeed.toString('hex')).toBe(drbgSeed)
  })

  test.each([
    [{ 'node-id': nodeId, 'drbg-seed': drbgSeed }, "missing argument 'private-key'"],
    [{ 'drbg-seed': drbgSeed }, "missing argument 'private-key'"],
    [{ 'private-key': privateKey, 'drbg-seed': drbgSeed }, "missing argument 'node-id'"],
    [{ 'private-key': privateKey }, "missing argument 'node-id'"],
    [{ 'private-key': privateKey, 'node-id': nodeId }, "missing argument 'drbg-seed'"],
    [{ ...identityOptions, 'private-key': 'abc' }, "malformed argument 'private-key'"],
    [{ ...identityOptions, 'node-id': `${nodeId}00` }, "malformed argument 'node-id'"],
    [{ ...identityOptions, 'drbg-seed': drbgSeed.slice(2) }, "malformed argument 'drbg-seed'"],
    [{ ...identityOptions, 'iat-mode': '3' }, "malformed argument 'iat-mode'"],
    [{ 'iat-mode': 'x' }, "malformed argument 'iat-mode'"],
  ])('PT_ARGS: options %j', async (options, message) => {
    const folder = tempDir()
    await expect(load(folder, options)).rejects.toMatchObject({
      code: 'PT_ARGS',
      message: expect.stringContaining(message),
    })
    expect(await readdir(folder)).toEqual([])
  })

  test.each([
    ['nothing', ''],
    ['half of it', written.slice(0, 150)],
    ['no JSON', 'node-id=1'],
    ['null', 'null'],
    ['no object', '[1]'],
    ['no private key', written.replace('private-key', 'other')],
    ['a private key that is a number', written.replace(`"${privateKey}"`, '7')],
    ['a private key that is short', written.replace(privateKey, privateKey.slice(2))],
    ['a node id that is no hex', written.replace(nodeId, `${nodeId.slice(1)}x`)],
    ['no seed', written.replace('drbg-seed', 'other')],
    ['a wrong iat-mode', written.replace('"iat-mode":1', '"iat-mode":3')],
    ['an iat-mode that is text', written.replace('"iat-mode":1', '"iat-mode":"1"')],
  ])('PT_STATE: a file with %s is an error and stays as it is, with options and without', async (_what, text) => {
    const folder = tempDir()
    await writeFile(stateIn(folder), text)
    for (const options of [{}, identityOptions]) {
      const error = await load(folder, options).catch((reason: unknown) => reason as Error)
      expect(error).toMatchObject({ code: 'PT_STATE', message: expect.stringContaining('obfs4_state.json') })
      expect((error as Error).message).not.toContain(privateKey.slice(2, -2))
    }
    expect(await readFile(stateIn(folder), 'utf8')).toBe(text)
    expect(await readdir(folder)).toEqual(['obfs4_state.json'])
  })

  test('no strict prefix of a state is one', () => {
    for (let length = 0; length < written.length; length++) expect(() => parseState(written.slice(0, length))).toThrow()
    expect(formatState(parseState(written))).toBe(written)
  })

  test('PT_STATE: a folder in the file’s place, and a state directory that cannot be written', async () => {
    const folder = tempDir()
    await mkdir(stateIn(folder))
    await expect(load(folder)).rejects.toMatchObject({ code: 'PT_STATE', message: expect.stringContaining('EISDIR') })
    await expect(load(join(folder, 'missing'))).rejects.toMatchObject({
      code: 'PT_STATE',
      message: expect.stringMatching(/obfs4_state.json cannot be written \(ENOENT\)/),
    })
  })

  test('what is written is read back', () => {
    const bytes = (length: number): fc.Arbitrary<Buffer> =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array))
    const states = fc.record({
      nodeId: bytes(20),
      privateKey: bytes(32),
      publicKey: bytes(32).map((key) => key.toString('hex')),
      drbgSeed: bytes(24),
      iatMode: fc.constantFrom(0 as const, 1 as const, 2 as const),
    })
    fc.assert(
      fc.property(states, (state) => {
        expect(parseState(formatState(state))).toEqual(state)
      }),
    )
  })
})

test('the server says its cert and iat-mode, and nothing else', async () => {
  const server = await makeServer(makeObfs4(), tempDir(), { ...identityOptions, 'iat-mode': '2' })
  expect(server.args).toEqual({ cert: handshakeVector.cert, 'iat-mode': '2' })
})

test.each(transportVectors.fixed_close_delay)('seed $drbg_seed closes after $intn60 s more', (vector) => {
  expect(closeDelay(hex(vector.drbg_seed))).toBe(vector.intn60)
})
