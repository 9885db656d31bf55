/**
 * Where a SOCKS server at the far end of a bridge may connect to. Nothing is allowed that no rule allows.
 *
 *     <host>:<port>     host   example.com · *.example.com · 203.0.113.7 · 10.0.0.0/8 · [2001:db8::/32] · *
 *                       port   443 · 8000-8099 · *
 *
 * Names are looked up first, and what they lead to is judged as well: a name, and `*`, allow addresses of the Internet only.
 * Private networks and the networks that this machine stands in take a rule that names them, so that no name of a stranger's
 * leads there. A rule that is wider than such a range does not name it: 0.0.0.0/0 is the Internet and no more. This machine
 * itself takes a rule with exactly its address, or with a part of loopback.
 */
import { isIP, isIPv6 } from 'node:net'
import { PtError } from '../error.ts'
import { isHostName } from '../ipc/index.ts'
import { aString, checkArgument, listOf } from '../options.ts'
import type { OwnNetworks } from '../addresses/own-networks.ts'
import { loopback, specialSubnets } from '../addresses/special.ts'
import type { Subnet } from '../addresses/subnets.ts'
import { holds, isWithin, parseSubnet } from '../addresses/subnets.ts'

interface Rule {
  readonly ports: readonly [first: number, last: number]
  /** Of an address or a subnet. */
  readonly subnet: Subnet | undefined
  /** Of a name, in lower case; `*` for all. */
  readonly name: string | undefined
}

/** A list of rules that says which targets a SOCKS server may connect to. */
export interface AllowList {
  /** The rules as they were given. */
  readonly rules: readonly string[]
  /** True if some rule is for this name and port, whatever addresses the name has. */
  allowsName(name: string, port: number): boolean
  /** True if the address may be connected to. `named`: an allowed name led to it. */
  allowsAddress(ip: string, port: number, named: boolean, own?: OwnNetworks): boolean
  /** True if a rule names exactly this address, or loopback: then it may be this machine's own. */
  namesAddress(ip: string, port: number): boolean
}

const elsewhere: OwnNetworks = { isOwn: () => false, subnets: [] }

/** Throws PT_ADDRESS for a rule that cannot be read, with its place in the list. */
export function parseAllowList(texts: readonly string[]): AllowList {
  checkArgument('parseAllowList', 'texts', texts, listOf(aString, 'rules'))
  const rules = texts.map((text, at) => parseRule(text, at))
  const forPort = (port: number): Rule[] => rules.filter(({ ports: [first, last] }) => port >= first && port <= last)
  const subnetsFor = (ip: string, port: number): Subnet[] =>
    forPort(port).flatMap(({ subnet }) => (subnet !== undefined && holds(subnet, ip) ? [subnet] : []))
  const namesAddress = (ip: string, port: number): boolean =>
    subnetsFor(ip, port).some((rule) => rule.bits === rule.width || loopback.some((range) => isWithin(rule, range)))
  return {
    rules: [...texts],
    allowsName: (name, port) => forPort(port).some((rule) => rule.name !== undefined && matches(rule.name, name)),
    namesAddress,
    allowsAddress: (ip, port, named, own = elsewhere) => {
      if (namesAddress(ip, port)) return true
      if (own.isOwn(ip)) return false
      const given = subnetsFor(ip, port)
      const guarded = [...specialSubnets(ip), ...own.subnets.filter((subnet) => holds(subnet, ip))]
      if (guarded.length > 0) return given.some((rule) => guarded.some((range) => isWithin(rule, range)))
      return given.length > 0 || forPort(port).some(({ name }) => name === '*' || (named && name !== undefined))
    },
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
      throw fail(`what follows the / is not a number up to ${width}`)
    }
    return { ports, subnet: parseSubnet(`${address}/${bits ?? width}`)!, name: undefined }
  }
  const name = host.toLowerCase()
  if (name !== '*' && !isHostName(name.replace(/^\*\./, ''))) throw fail('the host is no name, address or subnet')
  return { ports, subnet: undefined, name }
}
