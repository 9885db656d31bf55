/** Random values of the things that src/ipc writes and reads. */
import fc from 'fast-check'
import type { Address } from '../../src/ipc/index.ts'
import { Args } from '../../src/ipc/index.ts'

const identifier = 'abcXYZ_019'

export const names: fc.Arbitrary<string> = fc
  .string({ unit: fc.constantFrom(...identifier.split('')), minLength: 1, maxLength: 12 })
  .filter((name) => !/^[0-9]/.test(name))

/** Any text, with the characters that some grammar gives a meaning much more often than others. */
export const texts: fc.Arbitrary<string> = fc.string({
  unit: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...'\\"=;:,@/%# \t\r\n\0ab1xn\'[]'.split('')) },
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 30,
})

export const printable: fc.Arbitrary<string> = fc.string({ unit: 'grapheme-ascii', maxLength: 30 })

/** Printable ASCII without the space: all that SMETHOD ARGS can carry. */
export const words: fc.Arbitrary<string> = printable.map((text) => text.replaceAll(' ', ''))

export const addresses: fc.Arbitrary<Address> = fc.record({
  host: fc.oneof(fc.ipV4(), fc.ipV6()),
  port: fc.integer({ min: 1, max: 65535 }),
})

export function argsOf(values: fc.Arbitrary<string>): fc.Arbitrary<Args> {
  const key = values.filter((text) => text !== '')
  return fc.array(fc.tuple(key, values), { maxLength: 6 }).map((pairs) => Args.from(pairs))
}

/** Every proper beginning of a text. */
export function prefixes(text: string): string[] {
  return Array.from({ length: text.length }, (_, length) => text.slice(0, length))
}
