import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatUserAddress, parseUserAddress } from '../../src/extor/user-address.ts'

test.each([
  ['1.2.3.4:5678', '1.2.3.4', 5678],
  ['[1:2::3:4]:5678', '1:2::3:4', 5678],
  ['1.2.3.4:0', '1.2.3.4', 0],
  ['1.2.3.4', '1.2.3.4', 0],
  ['1:2::3:4', '1:2::3:4', 0],
  ['[1:2::3:4]', '1:2::3:4', 0],
  ['::1', '::1', 0],
])('EXT-2: the USERADDR %s is %s, port %d', (text, host, port) => {
  expect(parseUserAddress(text)).toEqual({ host, port })
})

test.each([
  '',
  '1.2.3.4:',
  '1.2.3.4:65536',
  '1.2.3.4:5678\0',
  '\0',
  '1.2.3.4:5678\n',
  ' 1.2.3.4:5678',
  '1.2.3:5678',
  '[1.2.3.4]',
  '[1.2.3.4]:5678',
  '[1:2::3:4',
  '[1:2::3:4]:',
  '[]:1',
  '1:2:3:4:5:6:7:8:9',
  '[fe80::1%eth0]:1',
  'fe80::1%eth0',
  'localhost:80',
  'host.example',
  ':80',
])('EXT-2: the USERADDR %j is PT_EXTOR, and the error does not repeat it', (text) => {
  expect(() => parseUserAddress(text)).toThrow(
    expect.objectContaining({ code: 'PT_EXTOR', message: "a client's address is not <ip>:<port>" }),
  )
})

test.each([
  ['198.51.100.7:5678', '198.51.100.7:5678'],
  ['[2001:db8::7]:5678', '[2001:db8::7]:5678'],
  ['[fe80::7%eth0]:5678', '[fe80::7]:5678'],
  ['[::ffff:198.51.100.7]:5678', '198.51.100.7:5678'],
])('SENV-11: the client %s is said as %s', (text, said) => {
  expect(formatUserAddress(text)).toBe(said)
})

test('SENV-11: a client without a port cannot be said', () => {
  for (const text of ['1.2.3.4', '[1:2::3:4]', 'host:1']) {
    expect(() => formatUserAddress(text)).toThrow(expect.objectContaining({ code: 'PT_EXTOR' }))
  }
})

test('EXT-2: what is said of a client is read back as the same address', () => {
  const ip = fc.oneof(fc.ipV4(), fc.ipV6())
  fc.assert(
    fc.property(ip, fc.integer({ min: 0, max: 65535 }), (ip, port) => {
      const text = formatUserAddress(ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)
      expect(formatUserAddress(text)).toBe(text)
      expect(parseUserAddress(text).port).toBe(port)
    }),
  )
})
