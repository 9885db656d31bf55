/** The bridge line of a server. */
import { Args } from 'postern/ipc'
import { expect, test } from 'vitest'
import { bridgeLineOf } from '../../src/bridges/server-line.ts'

const args = Args.from({ key: 'value' })

test('the address that is given takes the place of the bound one', () => {
  const address = { host: '0.0.0.0', port: 8443 }
  expect(bridgeLineOf('obfs4', { address, args })).toBe('obfs4 <IP ADDRESS>:8443 key=value')
  expect(bridgeLineOf('obfs4', { address, args }, '198.51.100.7')).toBe('obfs4 198.51.100.7:8443 key=value')
  expect(bridgeLineOf('obfs4', { address, args }, '[2600::1]:443')).toBe('obfs4 [2600::1]:443 key=value')
})

test('a made-up address stays, as the line of a bridge that has a front must not hold the address of its machine', () => {
  const address = { host: '2001:db8:3997:22f3:1a74:339f:b99c:49f3', port: 443 }
  for (const given of [undefined, '198.51.100.7', '198.51.100.7:8443', 'bridge.example']) {
    const line = bridgeLineOf('webtunnel', { address, args }, given)
    expect(line).toBe('webtunnel [2001:db8:3997:22f3:1a74:339f:b99c:49f3]:443 key=value')
  }
})
