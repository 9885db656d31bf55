import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatNames, isTransportName, nearestName, parseNames, requireTransportName } from '../../src/ipc/index.ts'
import { names } from './arbitraries.ts'
import { shows } from '../shows.ts'

const good = ['a', '_', 'Z9', 'obfs4', 'rot_by_N', '__00__', 'future_WORK2', 'x'.repeat(1000)]
const bad = [
  '',
  '0',
  '4obfs',
  'a-b',
  'a.b',
  'a b',
  ' a',
  'a ',
  'a\n',
  'a\0',
  'a,b',
  '*',
  'é',
  'í',
  'a\u200b',
  '-',
  '\ud800',
]

describe('isTransportName', () => {
  it.each(good)('NAME-1: %j is a name', (name) => {
    expect(isTransportName(name)).toBe(true)
    expect(requireTransportName(name)).toBe(name)
    shows('NAME-1')
  })

  it.each(bad)('NAME-1: %j is no name, PT_NAME', (name) => {
    expect(isTransportName(name)).toBe(false)
    expect(() => requireTransportName(name)).toThrow(expect.objectContaining({ code: 'PT_NAME' }))
    shows('NAME-1')
  })
})

describe('a list of names', () => {
  it.each([
    ['obfs2,obfs3,obfs4', ['obfs2', 'obfs3', 'obfs4']],
    ['a', ['a']],
    ['', []],
    [',a,,b,', ['a', 'b']],
    ['a,b,a', ['a', 'b']],
    ['*', ['*']],
    ['a, b', ['a', ' b']],
  ])('CENV-2, SENV-2: %j is read as %j', (list, expected) => {
    expect(parseNames(list)).toEqual(expected)
  })

  it('NAME-2: a parent that names a transport twice is told so, PT_NAME', () => {
    expect(() => formatNames(['a', 'b', 'a'])).toThrow(expect.objectContaining({ code: 'PT_NAME' }))
  })

  it('a name that would break the list is refused, PT_NAME', () => {
    for (const name of bad) expect(() => formatNames(['a', name])).toThrow(expect.objectContaining({ code: 'PT_NAME' }))
  })

  it('what is written reads back', () => {
    fc.assert(
      fc.property(fc.uniqueArray(names, { minLength: 1 }), (list) => {
        expect(parseNames(formatNames(list))).toEqual(list)
      }),
    )
  })
})

describe('the name that was meant', () => {
  const names = ['obfs2', 'obfs3', 'obfs4', 'client', 'check']
  it.each([
    ['obfs4', 'obfs4'],
    ['OBFS4', 'obfs4'],
    ['ofbs4', 'obfs4'],
    ['obsf4', 'obfs4'],
    ['bfs4', 'obfs4'],
    ['oobfs4', 'obfs4'],
    ['obfs44', 'obfs4'],
    ['clinet', 'client'],
    ['Clients', 'client'],
    ['obfs', undefined],
    ['obfs5', undefined],
    ['ofsb4', undefined],
    ['', undefined],
    ['ch', undefined],
  ])('%j: %j', (text, meant) => {
    expect(nearestName(text, names)).toBe(meant)
  })
})
