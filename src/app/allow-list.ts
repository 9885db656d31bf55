/**
 * Where a SOCKS server at the far end of a bridge may connect to. Nothing is allowed that no rule allows.
 *
 *     <host>:<port>     host   example.com · *.example.com · 203.0.113.7 · 10.0.0.0/8 · [2001:db8::/32] · *
 *                       port   443 · 8000-8099 · *
 *
 * Names are looked up first, and what they lead to is judged as well: a name, and `*`, allow addresses of the Internet only.
 * This machine and private networks take a rule with their address, so that no name of a stranger's leads there.
 */
import type { BlockList } from 'node:net'
import { isIP, isIPv6 } from 'node:net'
import { PtError } from '../error.ts'
import { isHostName } from '../ipc/index.ts'
import { blockListOf, specialRange } from './special-addresses.ts'

interface Rule {
  readonly ports: readonly [first: number, last: number]
  /** Of an address or a subnet. */
  readonly subnet: BlockList | undefined
  /** Of a name, in lower case; `*` for all. */
  readonly name: string | undefined
}

export interface AllowList {
  /** True where some rule is for this name and port, whatever it leads to. */
  allowsName(name: string, port: number): boolean
  /** True where the address may be connected to; `named`: it is what an allowed name led to. */
  allowsAddress(ip: string, port: number, named: boolean): boolean
}

/** Throws PT_ADDRESS for a rule that cannot be read, with its place in the list. */
export function parseAllowList(texts: readonly string[]): AllowList {
  const rules = texts.map((text, at) => parseRule(text, at))
  const forPort = (port: number): Rule[] => rules.filter(({ ports: [first, last] }) => port >= first && port <= last)
  return {
    allowsName: (name, port) => forPort(port).some((rule) => rule.name !== undefined && matches(rule.name, name)),
    allowsAddress: (ip, port, named) =>
      forPort(port).some(({ name, subnet }) => {
        if (subnet !== undefined) return subnet.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4')
        return specialRange(ip) === 'global' && (named || name === '*')
      }),
  }
}

function matches(rule: string, name: string): boolean {
  const bare = name.toLowerCase().replace(/\.$/, '')
  if (rule.startsWith('*.')) return bare.endsWith(rule.slice(1))
  return rule === '*' || rule === bare
}

function parseRule(text: string, at: number): Rule {
  const fail = (why: string): PtError => new PtError('PT_ADDRESS', `rule ${at + 1} of the allow-list: ${why}`)
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):(\*|\d{1,5}(?:-\d{1,5})?)$/.exec(text)
  if (parts === null) throw fail('expected <host>:<port>, such as example.com:443, *:80-90 or [2001:db8::/32]:*')
  const host = parts[1] ?? parts[2] ?? ''
  const [first = 0, last = first] = parts[3] === '*' ? [1, 65_535] : parts[3]!.split('-').map(Number)
  if (first < 1 || last > 65_535 || first > last) throw fail('the port is not within 1 to 65535')
  const ports = [first, last] as const
  const [address = '', bits] = host.split('/')
  if (isIP(address) !== 0) {
    const width = isIPv6(address) ? 128 : 32
    if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > width)) {
      throw fail(`what stands behind the / is not a number up to ${width}`)
    }
    return { ports, subnet: blockListOf([`${address}/${bits ?? width}`]), name: undefined }
  }
  const name = host.toLowerCase()
  if (name !== '*' && !isHostName(name.replace(/^\*\./, ''))) throw fail('the host is no name, address or subnet')
  return { ports, subnet: undefined, name }
}
