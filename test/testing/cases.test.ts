import { transportCases } from 'postern/testing'
import { describe, expect, test } from 'vitest'
import { mutants, sound } from './mutants.ts'

const options = { badServerOptions: [{ bad: '1' }], badClientArgs: [{}] }

describe('a sound transport passes', () => {
  for (const { name, run } of transportCases(sound(), { ...options, patience: 20_000 })) test(name, run)
})

describe('an unsound transport is caught', () => {
  test.each(mutants)('one that $fault, by the case "$caught …"', async ({ parts, caught, says }) => {
    const cases = transportCases(sound(parts), { ...options, halfClose: true, patience: 250 })
    const catching = cases.filter(({ name }) => name.startsWith(caught))
    expect(catching.length).toBe(1)
    await expect(catching[0]!.run()).rejects.toThrow(says)
  })

  test('one that answers to garbage, where it should be silent', async () => {
    const cases = transportCases(sound(), { silentToProbes: true })
    const silence = cases.find(({ name }) => name === 'its server answers garbage with silence')
    await expect(silence!.run()).rejects.toThrow('it answered')
  })

  test('one that names another client than the front does', async () => {
    const cases = transportCases(sound({ userAddr: '192.0.2.1' }), { userAddr: '127.0.0.1' })
    const address = cases.find(({ name }) => name === 'the server says that its client is 127.0.0.1')
    await expect(address!.run()).rejects.toThrow('192.0.2.1')
  })

  test('one whose sessions end with their connections, if they should not', async () => {
    const cases = transportCases(sound(), { outlivesConnections: true, patience: 250 })
    const going = cases.find(({ name }) => name.startsWith('a session goes on over a new connection'))
    await expect(going!.run()).rejects.toThrow('the session has ended with its connection')
  })

  test('one that closes before its last bytes are out, where the wire has no half-close', async () => {
    const hasty = sound({
      codec: () => {
        let left = 200_000
        const encode = (payload: Uint8Array): Uint8Array => payload.subarray(0, Math.max(0, (left -= payload.length)))
        return { encode, decode: (chunk) => [chunk] }
      },
    })
    const cases = transportCases(hasty, { halfClose: false, patience: 250 })
    await expect(cases.find(({ name }) => name.startsWith('when the client ends'))!.run()).rejects.toThrow()
  })
})
