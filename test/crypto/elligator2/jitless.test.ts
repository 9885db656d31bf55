/** What is chosen in a Node without WebAssembly: the version in BigInt, with the same bytes. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { decodeRepresentative, elligatorKey } from '../../../src/crypto/elligator2.ts'
import { root } from '../../support.ts'

/** A key pair, and what its representative is read as. */
const program = (seed: string): string => `
import { decodeRepresentative, elligatorKey } from ${JSON.stringify(`${root}dist/crypto/elligator2.js`)}
const key = elligatorKey(Buffer.from('${seed}', 'hex'))
const read = decodeRepresentative(key.representative)
console.log([typeof WebAssembly, ...[key.publicKey, key.representative, read].map((b) => Buffer.from(b).toString('hex'))].join())`

test('node --jitless makes and reads the keys that are made and read here', () => {
  const seed = Buffer.from(Array.from({ length: 33 }, (_, i) => 7 * i + 1))
  while (elligatorKey(seed) === undefined) seed[5]! += 1
  const key = elligatorKey(seed)!
  const args = ['--jitless', '--input-type=module', '-e', program(seed.toString('hex'))]
  const printed = execFileSync(process.execPath, args, { encoding: 'utf8' }).trim().split(',')
  const expected = [key.publicKey, key.representative, decodeRepresentative(key.representative)]
  expect(printed).toEqual(['undefined', ...expected.map((bytes) => Buffer.from(bytes).toString('hex'))])
})
