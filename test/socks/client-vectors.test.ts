/** The vectors of the client's side of SOCKS: what tor and Arti do, and where we do otherwise on purpose. */
import { Args } from 'postern/ipc'
import type { SocksClientRequest } from 'postern/socks'
import { connectSocks } from 'postern/socks'
import { expect, test } from 'vitest'
import {
  checkLogin,
  checkReply4,
  encodeConnect4,
  encodeGreeting,
  login5,
  parseMethod,
  splitArgs,
} from '../../src/socks/client-messages.ts'
import { methods } from '../../src/socks/wire.ts'
import { bytesOf, vectorsOf } from '../vectors.ts'
import type { Turn } from './far-side.ts'
import { ends, failureOf, play } from './far-side.ts'

function area<Input, Expected>(name: string): (readonly [id: string, input: Input, expected: Expected])[] {
  return vectorsOf(name).map(({ id, input, expect }) => [id, input as Input, expect as Expected])
}

/** With arguments tor offers 00 and 02, Arti 02 and 00, and we 02 alone, so that they cannot be lost. */
const OURS_WITH_ARGS = '050102'

type Split = {
  encoded_len?: number
  encoded?: string
  no_args?: boolean
  args?: string
  socks: 4 | 5
  target?: string
}
type SplitResult = string | { error?: true; greeting?: string; uname?: number; passwd?: string; passwd_len?: number }

test.each(area<Split, SplitResult>('args.socksSplit'))('ARGS-4, ARGS-5: %s', (_id, input, expected) => {
  if (input.args !== undefined) {
    const args = [input.args.split('=') as [string, string]]
    if (typeof expected === 'string') {
      const [host = '', port] = input.target!.split(':')
      expect(encodeConnect4({ host, port: Number(port) }, { args })).toEqual(bytesOf(expected))
    } else {
      expect(Buffer.from(encodeGreeting(login5({ args }).methods)).toString('hex')).toBe(OURS_WITH_ARGS)
    }
    return
  }
  if (input.encoded !== undefined) {
    const args = { k: bytesOf(input.encoded).toString() }
    expect(() => encodeConnect4({ host: '192.0.2.1', port: 1 }, { args })).toThrow(/NUL/)
    return
  }
  if (input.no_args === true || input.encoded_len === 0) {
    expect(Buffer.from(encodeGreeting(login5({ args: Args.none }).methods)).toString('hex')).toBe('050100')
    return
  }
  const list = Buffer.alloc(input.encoded_len!, 'v')
  if (typeof expected === 'object' && expected.error) {
    expect(() => splitArgs(list)).toThrow(expect.objectContaining({ code: 'PT_ARGS' }))
    return
  }
  const { uname, passwd, passwd_len } = expected as { uname: number; passwd?: string; passwd_len?: number }
  const fields = splitArgs(list)
  expect(fields.uname).toHaveLength(uname)
  if (passwd !== undefined) expect([...fields.passwd]).toEqual([...bytesOf(passwd)])
  if (passwd_len !== undefined) expect(fields.passwd).toHaveLength(passwd_len)
})

type Auth = { state: 'method-none' | 'method-userpass' | 'auth'; recv: string }

test.each(area<Auth, { next?: string; error?: true }>('socks5.clientAuth'))('%s', (_id, { state, recv }, expected) => {
  const answer = bytesOf(recv)
  if (state === 'auth') {
    const check = (): void => checkLogin(answer)
    if (expected.error) expect(check).toThrow(expect.objectContaining({ code: 'PT_SOCKS_REFUSED' }))
    else expect(check).not.toThrow()
    return
  }
  const offered = login5(state === 'method-none' ? {} : { args: { k: 'v' } }).methods
  const choose = (): number => parseMethod(answer, offered)
  // tor goes on without the arguments; a connection that lacks them is none.
  if (expected.error || expected.next === 'request (args lost)') {
    expect(choose).toThrow(expect.objectContaining({ code: expect.stringMatching(/^PT_SOCKS/) }))
  } else {
    expect(choose()).toBe(expected.next === 'auth' ? methods.password : methods.none)
  }
})

type Dialog = { target: string; auth: [string, string] | null }

test.each(area<Dialog, { send: string[]; recv: string[] }>('socks5.clientDialog'))(
  '%s',
  async (_id, input, expected) => {
    const [user = '', password = ''] = input.auth ?? []
    const request = {
      version: 5,
      target: input.target,
      ...(input.auth && { credentials: { user, password } }),
    } as const
    await converse(
      request,
      expected.send.map((send, at): Turn => [send, expected.recv[at] ?? '']),
    )
  },
)

test.each(area<string, { ok?: true; error?: string }>('socks5.clientReply'))('%s', async (_id, input, expected) => {
  const request = { version: 5, target: '192.0.2.1:80' } as const
  const turns: Turn[] = [
    ['050100', '0500'],
    ['05010001c00002010050', input.replace('hex:', '')],
  ]
  if (expected.ok) return await converse(request, turns)
  const { near, far } = ends()
  const [error] = await Promise.all([failureOf(near, request), play(far, turns)])
  // tor finds fault with the address type first; the second byte says more, and a parent is to hear of it.
  const [version, verdict] = Buffer.from(input.replace('hex:', ''), 'hex')
  const refused = version === 5 && verdict !== 0
  expect(error.code).toBe(refused ? 'PT_SOCKS_REFUSED' : 'PT_SOCKS')
  if (refused) expect(error.reply).toBe(verdict)
})

type Client4 = string | { target: string; userid: string }

test.each(area<Client4, { ok?: true; error?: string; send?: string; recv?: string }>('socks4.client'))(
  '%s',
  async (_id, input, expected) => {
    if (typeof input === 'object') {
      const request = { version: 4, target: input.target, credentials: { user: input.userid } } as const
      return await converse(request, [[expected.send!, expected.recv!]])
    }
    const check = (): void => checkReply4(bytesOf(input))
    if (expected.ok) expect(check).not.toThrow()
    else expect(check).toThrow(expect.objectContaining({ code: 'PT_SOCKS_REFUSED' }))
  },
)

/** The dialogue succeeds, and nothing is left of it in the connection. */
async function converse(request: SocksClientRequest, turns: Turn[]): Promise<void> {
  const { near, far } = ends()
  await Promise.all([connectSocks(near, request), play(far, turns)])
  expect(near.readableLength).toBe(0)
}
