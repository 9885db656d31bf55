/** The examples of docs/api/ipc.md. */
import {
  Args,
  formatClientArgs,
  formatMessage,
  LineSplitter,
  parseAddress,
  parseClientArgs,
  parseMessage,
} from 'postern/ipc'
import { parseProxyUri, readServerEnvironment, scrubAddresses } from 'postern/ipc'
import { expect, test } from 'vitest'

test('Args', () => {
  // example: Args
  const args = Args.from({ cert: 'abc', relay: ['1', '2'] })
  expect(args.get('cert')).toBe('abc')
  expect(args.getAll('relay')).toEqual(['1', '2'])
  expect([...args]).toEqual([
    ['cert', 'abc'],
    ['relay', '1'],
    ['relay', '2'],
  ])
  // end
})

test('parseClientArgs', () => {
  // example: parseClientArgs
  const args = parseClientArgs('shared-secret=rahasia;secrets-file=/tmp/blob')
  expect(args.get('shared-secret')).toBe('rahasia')
  // end
})

test('formatClientArgs', () => {
  // example: formatClientArgs
  expect(formatClientArgs({ cert: 'a=b;c' })).toBe('cert=a\\=b\\;c')
  // end
})

test('parseMessage', () => {
  // example: parseMessage
  const message = parseMessage('CMETHOD obfs4 socks5 127.0.0.1:19999')
  expect(message.type === 'cmethod' && message.address.port).toBe(19999)
  // end
})

test('formatMessage', () => {
  // example: formatMessage
  expect(formatMessage({ type: 'log', severity: 'notice', message: 'bridge "A" is up' })).toBe(
    'LOG SEVERITY=notice MESSAGE="bridge \\"A\\" is up"\n',
  )
  // end
})

test('LineSplitter', () => {
  // example: LineSplitter
  const splitter = new LineSplitter()
  expect([...splitter.push(Buffer.from('VERSION 1\nCMETH'))]).toEqual(['VERSION 1'])
  expect([...splitter.push(Buffer.from('ODS DONE\n'))]).toEqual(['CMETHODS DONE'])
  // end
})

test('parseAddress', () => {
  // example: parseAddress
  expect(parseAddress('[2001:db8::1]:443')).toEqual({ host: '2001:db8::1', port: 443 })
  // end
})

test('parseProxyUri', () => {
  // example: parseProxyUri
  const proxy = parseProxyUri('socks5://tor:test1234@198.51.100.1:8000')
  expect(proxy.address).toEqual({ host: '198.51.100.1', port: 8000 })
  // end
})

test('readServerEnvironment', () => {
  // example: readServerEnvironment
  const { transports } = readServerEnvironment({
    TOR_PT_SERVER_TRANSPORTS: 'obfs3,obfs4',
    TOR_PT_SERVER_TRANSPORT_OPTIONS: 'obfs4:iat-mode=1',
    TOR_PT_SERVER_BINDADDR: 'obfs4-198.51.100.1:443',
    TOR_PT_ORPORT: '127.0.0.1:9001',
    TOR_PT_STATE_LOCATION: '/var/lib/tor/pt_state/',
    TOR_PT_MANAGED_TRANSPORT_VER: '1',
  })
  expect(transports.map(({ name }) => name)).toEqual(['obfs3', 'obfs4'])
  // end
})

test('scrubAddresses', () => {
  // example: scrubAddresses
  expect(scrubAddresses('connect ECONNREFUSED 203.0.113.4:443')).toBe('connect ECONNREFUSED [scrubbed]')
  // end
})
