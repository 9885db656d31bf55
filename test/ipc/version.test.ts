import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatVersions, isVersion, negotiateVersion, readVersion, VERSION } from '../../src/ipc/index.ts'
import { printable } from './arbitraries.ts'
import { shows } from '../shows.ts'

const offer = (list: string | undefined): string => readVersion({ TOR_PT_MANAGED_TRANSPORT_VER: list })

describe('the version list', () => {
  it('VER-4: the version is 1', () => expect(VERSION).toBe('1'))

  it.each(['1', '1,2', '2,1', '1,1a,2b,this_is_a_valid_ver', '2,,1', 'x,1,', '!~,1'])(
    'ENV-2: %j holds our version',
    (list) => {
      expect(offer(list)).toBe('1')
    },
  )

  it.each(['2', '01', '1.0', ' 1', '1 ', '1a', '10,11', ',', 'VERSION 1', '１'])(
    'VER-2, PT_VERSION: %j holds none of ours, and the answer is VERSION-ERROR no-version',
    (list) => {
      expect(negotiateVersion(list)).toBeUndefined()
      expect(() => offer(list)).toThrow(
        expect.objectContaining({ code: 'PT_VERSION', line: 'VERSION-ERROR no-version' }),
      )
    },
  )

  it.each([undefined, ''])('ENV-1, PT_ENV: %j is a missing list', (list) => {
    expect(() => offer(list)).toThrow(
      expect.objectContaining({
        code: 'PT_ENV',
        line: expect.stringMatching(/^ENV-ERROR TOR_PT_MANAGED_TRANSPORT_VER /),
      }),
    )
  })

  it.each([
    ['1', true],
    ['this_is_a_valid_ver', true],
    ['!"#~', true],
    ['', false],
    ['1,2', false],
    ['1 2', false],
    ['1\t', false],
    ['1\x7f', false],
    ['é', false],
  ])('ENV-3: %j as a version: %j', (version, valid) => {
    expect(isVersion(version)).toBe(valid)
    if (!valid) expect(() => formatVersions(['1', version])).toThrow(expect.objectContaining({ code: 'PT_VERSION' }))
    shows('ENV-3')
  })

  it('an empty list cannot be written, PT_VERSION', () => {
    expect(() => formatVersions([])).toThrow(expect.objectContaining({ code: 'PT_VERSION' }))
  })

  it('ENV-2: any list of versions is accepted, as long as it holds ours', () => {
    const version = printable.filter(isVersion)
    fc.assert(
      fc.property(fc.array(version), fc.array(version), (before, behind) => {
        expect(offer(formatVersions([...before, '1', ...behind]))).toBe('1')
      }),
    )
  })
})
