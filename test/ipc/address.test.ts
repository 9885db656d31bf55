import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAddress, isHostName, isLoopback, parseAddress, parseTarget } from '../../src/ipc/index.ts'
import { addresses, prefixes } from './arbitraries.ts'

const malformed = expect.objectContaining({ code: 'PT_ADDRESS' })

describe('parseAddress', () => {
  it.each([
    ['127.0.0.1:9001', '127.0.0.1', 9001],
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['255.255.255.255:65535', '255.255.255.255', 65535],
    ['[::1]:80', '::1', 80],
    ['[1:2::3:4]:9999', '1:2::3:4', 9999],
    ['1:2::3:4:9999', '1:2::3:4', 9999],
    ['[::ffff:127.0.0.1]:1', '::ffff:127.0.0.1', 1],
  ])('reads %s', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port })
    expect(parseTarget(text)).toEqual({ host, port })
  })

  it.each([
    'localhost:80',
    '[localhost]:80',
    'example.com:443',
    '127.0.0.1:http',
    '127.0.0.1:0x50',
    '127.0.0.1:-1',
    '127.0.0.1:65536',
    '127.0.0.1:999999',
    '127.0.0.1:80 ',
    ' 127.0.0.1:80',
    '127.0.0.1 :80',
    '127.0.0.1:',
    ':80',
    '[]:80',
    '[127.0.0.1]:80',
    '[::1:80',
    '::1]:80',
    '[[::1]]:80',
    '[::1]80',
    '1.2.3:80',
    '01.2.3.4:80',
    '0x7f.1:80',
    '127.0.0.1:80\n',
    '127.0.0.1:٨٠',
  ])('SENV-8, PT_ADDRESS: %j is no IP address and port', (text) => {
    expect(() => parseAddress(text)).toThrow(malformed)
  })

  it.each(['127.0.0.1:9', '[1:2::3:4]:9'])('every beginning of %s is malformed', (text) => {
    for (const prefix of prefixes(text)) expect(() => parseAddress(prefix)).toThrow(malformed)
  })

  it('ANON-4: the error does not repeat the address', () => {
    for (const parse of [parseAddress, parseTarget]) {
      expect(() => parse('198.51.100.7:99999')).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('198') }),
      )
    }
  })

  it('what is written reads back', () => {
    fc.assert(
      fc.property(addresses, (address) => {
        expect(parseAddress(formatAddress(address))).toEqual(address)
      }),
    )
  })
})

describe('parseTarget', () => {
  it.each(['example.com:443', 'localhost:80', 'a_b.c-d.:1', 'xn--bcher-kva.example:80', '1.example:80'])(
    'reads %s',
    (text) => {
      const colon = text.lastIndexOf(':')
      expect(parseTarget(text)).toEqual({ host: text.slice(0, colon), port: Number(text.slice(colon + 1)) })
      expect(formatAddress(parseTarget(text))).toBe(text)
    },
  )

  it.each([
    'example..com:80',
    '.example:80',
    '-a:80',
    'a-:80',
    'bücher.example:80',
    'a b:80',
    'a/b:80',
    'user@host:80',
  ])('PT_ADDRESS: %j names no host', (text) => expect(() => parseTarget(text)).toThrow(malformed))

  it.each(['127.1', '1', '0x7f.1', '1.2.3.0x4', '999.999.999.999', '127.1.', '0x', '1.2.3.4.5'])(
    'PT_ADDRESS: %s, which a resolver would take for an address, is no host name',
    (host) => {
      expect(isHostName(host)).toBe(false)
      expect(() => parseTarget(`${host}:80`)).toThrow(malformed)
    },
  )

  it('a host name has at most 255 bytes', () => {
    expect([255, 256].map((length) => isHostName('a'.repeat(length)))).toEqual([true, false])
  })
})

it.each([
  ['127.0.0.1', true],
  ['127.255.255.254', true],
  ['::1', true],
  ['0:0:0:0:0:0:0:1', true],
  ['::ffff:127.0.0.1', true],
  ['::FFFF:7f00:1', true],
  ['128.0.0.1', false],
  ['0.0.0.0', false],
  ['::', false],
  ['::ffff:8.8.8.8', false],
  ['localhost', false],
  ['', false],
])('isLoopback(%j) is %j', (host, expected) => expect(isLoopback(host)).toBe(expected))
