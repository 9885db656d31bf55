/**
 * An upstream proxy that remembers what it was asked: SOCKS 5, SOCKS 4a or HTTP CONNECT.
 */
import { connect } from 'node:net'
import type { Address } from '../../ipc/index.ts'
import type { PtLab } from './pt-lab.ts'
import type { Listener, Wire } from '../lab/wire.ts'

export const proxyTypes = ['socks5', 'http', 'socks4a'] as const
export type ProxyType = (typeof proxyTypes)[number]

/** What one connection asked for. */
interface Asked {
  readonly host: string
  readonly port: number
  /** `user:password` or what there is of it. */
  readonly login: string
}

export interface ProxyOptions {
  /** grant: connects; refuse: answers no; cut: breaks the connection in place of an answer. */
  readonly answer: 'grant' | 'refuse' | 'cut'
  /** The address that it really connects to, whatever it is asked for. */
  readonly onward?: Address
  /** True if it insists on a login, which not every type can. */
  readonly login?: boolean
}

export interface RunningProxy {
  readonly listener: Listener
  readonly asked: Asked[]
  /** Local ports of the connections that it made. */
  readonly ports: Set<number>
}

const WAIT = 5_000

/** The part of a proxy that differs by type: reads a request and gives the answers to it. */
type Negotiate = (wire: Wire, login: boolean) => Promise<{ asked: Asked; yes: Buffer; no: Buffer } | undefined>

export async function openProxy(lab: PtLab, type: ProxyType, options: ProxyOptions): Promise<RunningProxy> {
  const asked: Asked[] = []
  const ports = new Set<number>()
  const serve = async (wire: Wire): Promise<void> => {
    const request = await negotiators[type](wire, options.login === true)
    if (request === undefined || options.answer === 'cut') {
      if (request !== undefined) asked.push(request.asked)
      return void wire.socket.destroy()
    }
    asked.push(request.asked)
    if (options.answer === 'refuse') return void wire.socket.end(request.no)
    const target = options.onward ?? request.asked
    const onward = connect({ host: target.host, port: target.port, allowHalfOpen: true })
    onward.once('error', () => wire.socket.end(request.no))
    onward.once('connect', () => {
      ports.add(onward.localPort ?? 0)
      wire.write(request.yes)
      wire.socket.pipe(onward).pipe(wire.socket)
    })
    wire.socket.once('close', () => onward.destroy())
  }
  const listener = await lab.listen((wire) => void serve(wire))
  return { listener, asked, ports }
}

const negotiators: Readonly<Record<ProxyType, Negotiate>> = { socks5, socks4a, http }

async function socks5(wire: Wire, login: boolean): ReturnType<Negotiate> {
  const head = await wire.take(2, WAIT)
  const methods = await wire.take(head[1] ?? 0, WAIT)
  let given = ''
  if (login) {
    if (!methods.includes(2)) return undefined
    wire.write(Buffer.of(5, 2))
    const user = await wire.take((await wire.take(2, WAIT))[1] ?? 0, WAIT)
    const password = await wire.take((await wire.take(1, WAIT))[0] ?? 0, WAIT)
    given = `${user.toString('latin1')}:${password.toString('latin1')}`
    wire.write(Buffer.of(1, 0))
  } else wire.write(Buffer.of(5, 0))
  const request = await wire.take(4, WAIT)
  if (request[0] !== 5 || request[1] !== 1) return undefined
  const length = request[3] === 1 ? 4 : request[3] === 4 ? 16 : ((await wire.take(1, WAIT))[0] ?? 0)
  const address = await wire.take(length, WAIT)
  const host =
    request[3] === 1 ? address.join('.') : request[3] === 3 ? address.toString('latin1') : address.toString('hex')
  const port = await portOf(wire)
  const answer = (code: number): Buffer => Buffer.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0)
  return { asked: { host, port, login: given }, yes: answer(0), no: answer(2) }
}

async function socks4a(wire: Wire): ReturnType<Negotiate> {
  const head = await wire.take(2, WAIT)
  if (head[0] !== 4 || head[1] !== 1) return undefined
  const port = await portOf(wire)
  const address = await wire.take(4, WAIT)
  const user = await untilNul(wire)
  const named = address[0] === 0 && address[1] === 0 && address[2] === 0 && address[3] !== 0
  const host = named ? await untilNul(wire) : address.join('.')
  const answer = (code: number): Buffer => Buffer.of(0, code, 0, 0, 0, 0, 0, 0)
  return { asked: { host, port, login: user }, yes: answer(0x5a), no: answer(0x5b) }
}

async function http(wire: Wire): ReturnType<Negotiate> {
  let head = ''
  while (!head.endsWith('\r\n\r\n')) {
    const byte = await wire.take(1, WAIT)
    if (byte.length === 0 || head.length > 8_192) return undefined
    head += byte.toString('latin1')
  }
  const [, host = '', port = ''] = /^CONNECT \[?([^\s\]]+)\]?:(\d+) HTTP\/1\.[01]\r\n/.exec(head) ?? []
  if (host === '') return undefined
  const basic = /\r\nProxy-Authorization: Basic (\S+)/i.exec(head)?.[1] ?? ''
  const login = Buffer.from(basic, 'base64').toString('latin1')
  const answer = (status: string): Buffer => Buffer.from(`HTTP/1.1 ${status}\r\n\r\n`)
  return { asked: { host, port: Number(port), login }, yes: answer('200 OK'), no: answer('403 Forbidden') }
}

async function portOf(wire: Wire): Promise<number> {
  const bytes = await wire.take(2, WAIT)
  return bytes.length === 2 ? bytes.readUInt16BE(0) : 0
}

async function untilNul(wire: Wire): Promise<string> {
  let text = ''
  for (;;) {
    const byte = (await wire.take(1, WAIT))[0]
    if (byte === undefined || byte === 0 || text.length > 4_096) return text
    text += String.fromCharCode(byte)
  }
}
