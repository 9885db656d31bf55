/**
 * The shim that BoringSSL's runner (BoGo) drives: a client of TLS that connects, shakes hands, and sends back what it receives with all
 * bits turned. README.md says how it is run. The exit status is 0, 1 after a failure that it prints, or 89 for what it cannot do.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { isPtError } from '../../../src/error.ts'
import { clientHandshake, sendFault } from '../../../src/tls/handshake.ts'
import { groups } from '../../../src/tls/groups.ts'
import { HandshakeWire } from '../../../src/tls/handshake-wire.ts'
import { chromiumWebSocket } from '../../../src/tls/profiles/chromium.ts'
import type { Profile, ProfileExtension } from '../../../src/tls/profiles/profile.ts'
import { TicketStore } from '../../../src/tls/tickets.ts'
import { TlsStream } from '../../../src/tls/tls-stream.ts'
import type { Flags } from './flags.ts'
import { readFlags, Unsupported } from './flags.ts'

const UNSUPPORTED = 89
const TLS13 = 0x0304
const tickets = new TicketStore()

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('-is-handshaker-supported')) return console.log('No')
  const flagsOf = readFlags(argv)
  const [count = '0'] = flagsOf('initial')['resume-count'] ?? []
  for (let visit = 0; visit <= Number(count); visit++) {
    await visitOnce(flagsOf(visit === 0 ? 'initial' : 'resume'), visit > 0)
  }
}

async function visitOnce(flags: Flags, isRepeated: boolean): Promise<void> {
  if (Number(flags['max-version']?.[0] ?? TLS13) < TLS13) throw new Unsupported('-max-version')
  const conn = connect({ port: Number(flags['port']![0]), host: flags['ipv6'] ? '::1' : '127.0.0.1', noDelay: true })
  await once(conn, 'connect')
  const id = Buffer.alloc(8)
  id.writeBigUInt64LE(BigInt(flags['shim-id']![0]!))
  conn.write(id)
  const stream = await shake(conn, flags)
  const expected = isRepeated && !flags['expect-session-miss'] && !flags['expect-no-session']
  if (stream.resumed !== expected) throw new Error(`resumed: ${stream.resumed}`)
  const [alpn = stream.alpn] = flags['expect-alpn'] ?? []
  if (alpn !== stream.alpn) throw new Error(`ALPN: ${stream.alpn}`)
  await exchange(stream, flags)
  conn.destroy()
}

async function shake(conn: Socket, flags: Flags): Promise<TlsStream> {
  const wire = new HandshakeWire(conn, new AbortController().signal)
  try {
    const established = await clientHandshake(wire, {
      profile: profileOf(flags),
      servername: flags['host-name']?.[0],
      ticket: tickets.take('runner'),
      // BoGo has certificates of no CA, and looks at the signatures of handshakes alone.
      verification: { name: undefined, pin: undefined, roots: false },
    })
    return new TlsStream(conn, {
      established,
      rest: wire.takeRest(),
      onTicket: (ticket) => tickets.put('runner', ticket),
    })
  } catch (error) {
    sendFault(wire, error)
    conn.end()
    await Promise.race([once(conn.resume(), 'close'), once(conn, 'error')])
    throw error
  }
}

/** Chromium's hello, with what the flags put in the place of its lists. */
function profileOf(flags: Flags): Profile {
  const hex = (numbers: readonly string[]): string[] =>
    numbers.map((number) => Number(number).toString(16).padStart(4, '0'))
  const { curves, 'verify-prefs': schemes, 'advertise-alpn': alpn, 'key-shares': shares } = flags
  const change = (one: ProfileExtension): readonly ProfileExtension[] => {
    const { kind } = one
    if (kind === 'supported_groups' && curves !== undefined) return [{ ...one, groups: hex(curves) }]
    if (kind === 'key_share' && shares !== undefined) return [{ ...one, groups: hex(shares) }]
    if (kind === 'key_share' && curves !== undefined) return [{ ...one, groups: hex(firstOfEachKind(curves)) }]
    if (kind === 'signature_algorithms' && schemes !== undefined) return [{ ...one, schemes: hex(schemes) }]
    if (kind === 'alpn') return alpn === undefined ? [] : [{ ...one, protocols: protocolsOf(alpn[0]!) }]
    if (kind === 'ech_grease' && !flags['enable-ech-grease']) return []
    // No test of trust anchors can be done, as their flags are not taken.
    if (kind === 'fixed' && one.type === 'ca34') return []
    if (kind === 'fixed' && one.type === '0005' && !flags['enable-ocsp-stapling']) return []
    if (kind === 'fixed' && one.type === '0012' && !flags['enable-signed-cert-timestamps']) return []
    return [one]
  }
  return { ...chromiumWebSocket, extensions: chromiumWebSocket.extensions.flatMap(change) }
}

/** As BoringSSL has shares: of the first group, and of the first one of the other kind, with ML-KEM or without. */
function firstOfEachKind(curves: readonly string[]): string[] {
  const isHybrid = (curve: string): boolean => Number(curve) === groups.x25519MlKem768
  const first = curves[0]!
  return [first, ...curves.filter((curve) => isHybrid(curve) !== isHybrid(first)).slice(0, 1)]
}

/** As the extension has them: each after a byte with its length. */
function protocolsOf(list: string): string[] {
  const bytes = Buffer.from(list, 'latin1')
  const protocols: string[] = []
  for (let at = 0; at < bytes.length; at += 1 + bytes[at]!) {
    protocols.push(bytes.subarray(at + 1, at + 1 + bytes[at]!).toString('latin1'))
  }
  return protocols
}

async function exchange(stream: TlsStream, flags: Flags): Promise<void> {
  if (flags['shim-writes-first']) stream.write('hello')
  if (flags['shim-shuts-down']) stream.end()
  try {
    for await (const chunk of stream) {
      const turned = (chunk as Buffer).map((byte) => byte ^ 0xff)
      if (!stream.writableEnded) stream.write(turned)
    }
  } catch (error) {
    // An end of TCP alone is one for the runner too, unless it says otherwise.
    const isPlainEnd = isPtError(error, 'PT_CLOSED') && error.message.includes('close_notify')
    if (!isPlainEnd || flags['check-close-notify']) throw error
  }
}

/** The server wants an older version of TLS, or says that we do. */
function isOlder(error: unknown): boolean {
  return isPtError(error) && /speaks TLS 1\.[012] |alert protocol_version/.test(error.message)
}

try {
  await main(process.argv.slice(2))
  process.exit(0)
} catch (error) {
  console.error(String(error))
  process.exit(error instanceof Unsupported || isOlder(error) ? UNSUPPORTED : 1)
}
