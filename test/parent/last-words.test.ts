import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KEPT_BYTES, LastWords } from '../../src/parent/last-words.ts'

function lines(...chunks: string[]): string[] {
  const words = new LastWords()
  return chunks.flatMap((chunk) => words.push(Buffer.from(chunk)))
}

describe('stderr', () => {
  test.each<[string[], string[]]>([
    [['one\ntwo\n'], ['one', 'two']],
    [
      ['on', 'e\nt', 'wo\r\n'],
      ['one', 'two'],
    ],
    [['\n\n'], ['', '']],
    [['no end'], []],
    [['x'.repeat(4096), '\n'], ['x'.repeat(4096)]],
    [
      ['x'.repeat(4097), '\n'],
      ['x'.repeat(4096), 'x'],
    ],
    [
      ['x'.repeat(10_000), 'y\n'],
      ['x'.repeat(4096), 'x'.repeat(4096), `${'x'.repeat(1808)}y`],
    ],
  ])('is cut into lines, and long ones into pieces (%#)', (chunks, expected) => {
    expect(lines(...chunks)).toEqual(expected)
    expect(lines(...chunks.join('').split(''))).toEqual(expected)
  })

  test('is kept up to a limit, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 8 }), (chunks) => {
        const words = new LastWords()
        for (const chunk of chunks) {
          for (const line of words.push(Buffer.from(chunk))) expect(line).not.toContain('\n')
        }
        const all = Buffer.concat(chunks)
        expect(words.text).toBe(all.subarray(-KEPT_BYTES).toString('utf8'))
      }),
      { numRuns: 50 },
    )
  })
})
