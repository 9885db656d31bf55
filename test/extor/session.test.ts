/** Both sides against each other in memory, and what the server makes of introductions that are noise. */
import fc from 'fast-check'
import { connectExtOrPort, encodeFrame } from 'postern/extor'
import { formatAddress } from 'postern/ipc'
import { expect, test } from 'vitest'
import { acceptExtOrPort } from '../../src/extor/session.ts'
import { cookie, cookieFile, pair, playPt } from './peer.ts'

const never = new AbortController().signal

test('EXT-2, SENV-11: the server hears the transport and the address that the PT was given', async () => {
  const path = cookieFile()
  const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,40}$/)
  const address = fc.record({ host: fc.oneof(fc.ipV4(), fc.constant('2001:db8::7')), port: fc.nat(65535) })
  const said = fc.record({
    transport: fc.option(name, { nil: undefined }),
    userAddr: fc.option(address, { nil: undefined }),
  })
  await fc.assert(
    fc.asyncProperty(said, async ({ transport, userAddr }) => {
      const [near, far] = pair()
      const accepted = acceptExtOrPort(far, cookie, { allow: () => true }, never)
      const userText = userAddr === undefined ? undefined : formatAddress(userAddr)
      await connectExtOrPort(near, { cookieFile: path, transport, userAddr: userText })
      expect(await accepted).toEqual({ transport, userAddr })
    }),
  )
})

test('EXT-2: an introduction of random commands is accepted, or an error, and never a crash or a hang', async () => {
  const command = fc.oneof(fc.nat(3), fc.nat(0xffff))
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constant(Buffer.from('obfs4')),
    fc.constant(Buffer.from('::1')),
  )
  const frames = fc.array(fc.tuple(command, body), { maxLength: 80 })
  await fc.assert(
    fc.asyncProperty(frames, fc.uint8Array({ maxLength: 6 }), async (frames, rest) => {
      const [near, far] = pair()
      const accepted = acceptExtOrPort(near, cookie, { allow: () => true }, never)
      const outcome = accepted.then(
        () => 'accepted',
        (error: unknown) => (error as Error).name,
      )
      const introduction = Buffer.concat([...frames.map(([command, body]) => encodeFrame(command, body)), rest])
      await playPt(far, { introduction, cut: 33 + 32 + introduction.length }).catch(() => {})
      expect(['accepted', 'PtError']).toContain(await outcome)
    }),
  )
})
