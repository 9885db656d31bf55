/** In a Node without WebAssembly node:crypto hashes short messages too, to the same bytes. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { hkdfExpand, hmac, hmacKey } from '../../../src/crypto/hmac.ts'
import { root } from '../../support.ts'

const program = `
import { hkdfExpand, hmac, hmacKey } from ${JSON.stringify(`${root}dist/crypto/hmac.js`)}
const key = hmacKey(Buffer.from('a key'))
console.log([typeof WebAssembly, hmac(key, 'a ', 'message'), hkdfExpand(Buffer.alloc(32, 7), 144)].map((b) => b.toString('hex')).join())`

test('node --jitless comes to the bytes that WebAssembly comes to here', () => {
  const args = ['--jitless', '--input-type=module', '-e', program]
  const printed = execFileSync(process.execPath, args, { encoding: 'utf8' }).trim().split(',')
  const expected = [hmac(hmacKey(Buffer.from('a key')), 'a ', 'message'), hkdfExpand(Buffer.alloc(32, 7), 144)]
  expect(printed).toEqual(['undefined', ...expected.map((bytes) => bytes.toString('hex'))])
})
