import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Field } from '../../src/http1/fields.ts'
import { fieldValues, hasItem, lastValue, listItems } from '../../src/http1/fields.ts'
import { headEnd } from '../../src/http1/head.ts'
import { formatRequest, parseRequest } from '../../src/http1/request.ts'
import { FinalResponse, formatResponse, parseResponse } from '../../src/http1/response.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/)
/** A value that neither begins nor ends with a blank. */
const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/)
const fields = fc.array(fc.tuple(token, value), { maxLength: 8 })

describe('fields', () => {
  const some: readonly Field[] = [
    ['Connection', 'keep-alive, Upgrade'],
    ['X-Forwarded-For', '192.0.2.1 ,\t192.0.2.2'],
    ['connection', ''],
    ['x-forwarded-for', ', 192.0.2.3,'],
  ]

  test('are found by their names without letter case, in the order of the wire', () => {
    expect(fieldValues(some, 'CONNECTION')).toEqual(['keep-alive, Upgrade', ''])
    expect(lastValue(some, 'X-Forwarded-For')).toBe(', 192.0.2.3,')
    expect(lastValue(some, 'Host')).toBeUndefined()
  })

  test('are lists over all lines of one name, without blanks and empty items', () => {
    expect(listItems(some, 'X-Forwarded-For')).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3'])
    expect([hasItem(some, 'Connection', 'upgrade'), hasItem(some, 'Connection', 'keep')]).toEqual([true, false])
  })
})

describe('a request', () => {
  test('is read with its target as it was written, and its fields in order', () => {
    const head = 'GET /a%2Fb//c?d HTTP/1.1\r\nHost: example.com\r\nA:1\r\na:  \t2 3\t \r\nEmpty:\r\n\r\n'
    const pairs = [
      ['Host', 'example.com'],
      ['A', '1'],
      ['a', '2 3'],
      ['Empty', ''],
    ]
    expect(parseRequest(latin1(head))).toEqual({ method: 'GET', target: '/a%2Fb//c?d', minor: 1, fields: pairs })
    expect(parseRequest(latin1(head.replaceAll('\r\n', '\n')))?.fields).toEqual(pairs)
    expect(parseRequest(latin1(`\r\n${head}`))?.fields).toEqual(pairs)
  })

  test.each([
    'GET / HTTP/1.0\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\n\r\n',
    'POST http://example.com/ HTTP/1.1\r\nX: \xe9\r\n\r\n',
    'M!#$ / HTTP/1.1\r\nX: a\tb\r\n\r\n',
  ])('is one: %j', (head) => {
    expect(parseRequest(latin1(head))).toBeDefined()
  })

  test.each([
    '\r\n\r\n',
    'GET /\r\n\r\n',
    'GET / HTTP/2\r\n\r\n',
    'GET / HTTP/1.2\r\n\r\n',
    'GET / HTTP/1.1 \r\n\r\n',
    'GET  / HTTP/1.1\r\n\r\n',
    'GET / x HTTP/1.1\r\n\r\n',
    'GET /\x01 HTTP/1.1\r\n\r\n',
    ' GET / HTTP/1.1\r\n\r\n',
    'G(T / HTTP/1.1\r\n\r\n',
    'G\xe9T / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nno colon\r\n\r\n',
    'GET / HTTP/1.1\r\n: empty\r\n\r\n',
    'GET / HTTP/1.1\r\nA : 1\r\n\r\n',
    'GET / HTTP/1.1\r\n A: 1\r\n\r\n',
    'GET / HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n',
    'GET / HTTP/1.1\r\nA: \0\r\n\r\n',
    'GET / HTTP/1.1\r\nA: 1\rB: 2\r\n\r\n',
    'GET / HTTP/1.1\r\nA\xe9: 1\r\n\r\n',
    '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n',
  ])('is none: %j', (head) => {
    expect(parseRequest(latin1(head))).toBeUndefined()
  })

  test('reads back as it was written, whatever it holds', () => {
    const target = fc.stringMatching(/^[!-~]{1,30}$/)
    fc.assert(
      fc.property(token, target, fields, (method, target, fields) => {
        expect(parseRequest(latin1(formatRequest(method, target, fields)))).toEqual({
          method,
          target,
          minor: 1,
          fields,
        })
      }),
    )
  })

  test.each<[string, Field]>([
    ['/a\r\nB: c', ['A', 'b']],
    ['/a\u0100', ['A', 'b']],
    ['/', ['A', 'b\nC: d']],
    ['/', ['A: b\r\nC', 'd']],
    ['/', ['', 'd']],
    ['/', ['A', '\0']],
  ])('PT_LINE: one that would break out of its line is not written: %j %j', (target, field) => {
    expect(() => formatRequest('GET', target, [field])).toThrow(expect.objectContaining({ code: 'PT_LINE' }))
  })
})

describe('a response', () => {
  test.each<[string, number, string, Field[]]>([
    ['HTTP/1.1 200 OK\r\nA: b\r\n\r\n', 200, 'OK', [['A', 'b']]],
    ['HTTP/1.0 404\nA : b\n\n', 404, '', [['A', 'b']]],
    ['HTTP/1.1 101 Web Socket Protocol \xe9\r\n\r\n', 101, 'Web Socket Protocol \xe9', []],
    ['HTTP/1.1 200 \r\nA: b\r\n\tc\r\nnothing\r\n: d\r\n\r\n', 200, '', [['A', 'b c']]],
  ])('is read as servers write it: %j', (head, status, reason, fields) => {
    const minor = head.startsWith('HTTP/1.0') ? 0 : 1
    expect(parseResponse(latin1(head))).toEqual({ status, minor, reason, fields })
  })

  test('reads back as it was written, whatever it holds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), value, fields, (status, reason, fields) => {
        const read = parseResponse(latin1(formatResponse(status, reason, fields)))
        expect(read).toEqual({ status, minor: 1, reason, fields })
      }),
    )
  })
})

test('bytes that are no heads are told, and end nothing', () => {
  for (let turn = 0; turn < 2_000; turn++) {
    const bytes = Buffer.concat([randomBytes(turn % 90), latin1('\r\n\r\n')])
    expect(parseRequest(bytes)).toBeUndefined()
    expect(parseResponse(bytes)).toBeUndefined()
  }
})

describe('the end of a head', () => {
  const tooLong = new Error('too long')
  const find = (limit: number): ((held: Buffer) => number | undefined) => headEnd(limit, () => tooLong)

  test.each(['a\r\n\r\n', 'a\n\n', 'a\r\n\n', 'a\n\r\n', '\n\n', 'a\r\n\r\r\n\n'])('is found: %j', (head) => {
    const bytes = latin1(`${head}surplus`)
    expect(find(100)(bytes)).toBe(head.length)
    const byByte = find(100)
    for (let length = 0; length < head.length; length++) expect(byByte(bytes.subarray(0, length))).toBeUndefined()
    expect(byByte(bytes)).toBe(head.length)
  })

  test('may be the last byte of the limit, and not the one after it', () => {
    const head = latin1('a: b\r\n\r\n')
    expect(find(head.length)(head)).toBe(head.length)
    expect(() => find(head.length - 1)(head)).toThrow(tooLong)
    expect(() => find(4)(latin1('aaaa'))).toThrow(tooLong)
    expect(find(5)(latin1('aaaa'))).toBeUndefined()
  })
})

describe('the final response', () => {
  const response = (limit = 200): FinalResponse => new FinalResponse(limit, (fault) => new Error(fault))
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'
  const final = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'

  test.each(['', interim, interim + interim])('comes byte by byte after %j, and what follows it is left', (before) => {
    const bytes = latin1(`${before}${final}surplus`)
    const length = before.length + final.length
    const found = response()
    for (let at = 0; at < length; at++) expect(found.lengthOf(bytes.subarray(0, at))).toBeUndefined()
    expect(() => found.head).toThrow()
    expect(found.lengthOf(bytes)).toBe(length)
    expect(found.head).toEqual({
      status: 101,
      minor: 1,
      reason: 'Switching Protocols',
      fields: [['Upgrade', 'websocket']],
    })
    expect(response().lengthOf(bytes)).toBe(length)
  })

  test.each(['SSH-2.0', 'HTTP/2 200', '\r\n', 'HTTP/1.1 20 OK\r\n\r\n', `${interim}SSH`, `${interim}HTTP/1.1 2\n\n`])(
    'is told from what is none by its first bytes: %j',
    (text) => {
      expect(() => response().lengthOf(latin1(text))).toThrow('not HTTP')
    },
  )

  test('has one limit with all that comes before it', () => {
    const bytes = latin1(interim.repeat(2) + final)
    expect(response(bytes.length).lengthOf(bytes)).toBe(bytes.length)
    expect(() => response(bytes.length - 1).lengthOf(bytes)).toThrow('too long')
    expect(() => response(interim.length).lengthOf(latin1(interim.repeat(3)))).toThrow('too long')
  })
})
