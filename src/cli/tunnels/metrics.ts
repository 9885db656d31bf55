/**
 * Counts for Prometheus, in its text format 0.0.4, on a loopback port. Tunnels are told apart by their names; there is no
 * address in it.
 */
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { isIP, SocketAddress } from 'node:net'
import type { TunnelStats } from '../../app/index.ts'
import { listen } from '../../io/tcp/listen.ts'
import type { Guest } from '../../io/tcp/lobby.ts'
import { Lobby } from '../../io/tcp/lobby.ts'
import type { Address } from '../../ipc/index.ts'
import { formatAddress } from '../../ipc/index.ts'

export interface Measured {
  readonly name: string
  readonly kind: 'client' | 'server'
  readonly stats: TunnelStats
}

export interface MetricsPlan {
  /** An address of this machine alone. */
  readonly address: Address
  /** Names under which the counts may be asked for, beside the address and localhost. */
  readonly hosts: readonly string[]
}

export interface MetricsServer {
  readonly address: string
  /** Its address does not change any more. */
  plan: MetricsPlan
  close(): Promise<void>
}

/** How many silent connections there may be at once. If there are more, the one that has been silent for longest ends. */
const CONNECTIONS = 32
/** How long a request may take to arrive, and how often that is looked at, in ms. */
const REQUEST_TIMEOUT = 5_000
const CHECK_INTERVAL = 1_000

/** Serves `GET /metrics`. Rejects with the system's error (EADDRINUSE, …). */
export async function serveMetrics(plan: MetricsPlan, measure: () => readonly Measured[]): Promise<MetricsServer> {
  const { host, port } = plan.address
  const limits = {
    requestTimeout: REQUEST_TIMEOUT,
    headersTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: CHECK_INTERVAL,
  }
  const silent = new Lobby({ limit: CONNECTIONS, grace: 0 })
  const guests = new WeakMap<Socket, Guest>()
  const enter = (conn: Socket): void => void guests.set(conn, silent.enter(conn, conn.remoteAddress))
  const server = createServer(limits, (request, response) => {
    // A connection that waits for its answer is not silent; after that it is the youngest of those that are.
    guests.get(request.socket)?.leave()
    response.once('close', () => request.socket.destroyed || enter(request.socket))
    const isMetrics = request.url === '/metrics' && (request.method === 'GET' || request.method === 'HEAD')
    const allowed = isOneOf(request.headers.host, [host, 'localhost', ...served.plan.hosts])
    const status = allowed ? (isMetrics ? 200 : 404) : 403
    response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    response.end(status === 200 ? formatMetrics(measure()) : `${explanations[status]}\n`)
  })
  server.on('connection', enter)
  const address = formatAddress(await listen(server, host, port))
  const served: MetricsServer = {
    address,
    plan,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return served
}

const explanations: Readonly<Record<number, string>> = {
  403: 'this name is not one of the metrics; metrics-host allows it',
  404: 'there is /metrics',
}

/**
 * True if the Host of a request is one of `names`, whatever its port. A page of a stranger whose name leads to this machine
 * (DNS rebinding) can send requests here, but not with another Host than its own.
 */
function isOneOf(host: string | undefined, names: readonly string[]): boolean {
  const asked = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(host ?? '')
  const name = (asked?.[1] ?? asked?.[2] ?? '').toLowerCase()
  return name !== '' && names.some((one) => one.toLowerCase() === name || isSameAddress(one, name))
}

function isSameAddress(one: string, other: string): boolean {
  if (isIP(one) === 0 || isIP(one) !== isIP(other)) return false
  return isIP(one) === 4 ? one === other : canonical(one) === canonical(other)
}

function canonical(ip: string): string {
  return new SocketAddress({ address: ip, family: 'ipv6' }).address
}

type Row = readonly [labels: Readonly<Record<string, string>>, value: number]

interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly rows: (stats: TunnelStats) => Row[]
}

const metrics: readonly Metric[] = [
  {
    name: 'postern_up',
    type: 'gauge',
    help: 'Whether new connections are carried at once.',
    rows: (stats) => [[{}, stats.state === 'ready' ? 1 : 0]],
  },
  {
    name: 'postern_connections_open',
    type: 'gauge',
    help: 'Connections that carry bytes.',
    rows: (stats) => [[{}, stats.open]],
  },
  {
    name: 'postern_connections_waiting',
    type: 'gauge',
    help: 'Connections that are being made.',
    rows: (stats) => [[{}, stats.waiting]],
  },
  {
    name: 'postern_connections_total',
    type: 'counter',
    help: 'Connections taken.',
    rows: (stats) => [[{}, stats.total]],
  },
  {
    name: 'postern_connections_refused_total',
    type: 'counter',
    help: 'Connections not taken, as there were too many.',
    rows: (stats) => [[{}, stats.refused]],
  },
  {
    name: 'postern_bytes_total',
    type: 'counter',
    help: 'Bytes carried; up is from client to server.',
    rows: (stats) => [
      [{ direction: 'up' }, stats.bytesUp],
      [{ direction: 'down' }, stats.bytesDown],
    ],
  },
  {
    name: 'postern_failures_total',
    type: 'counter',
    help: 'Failed handshakes and lost connections by stage.',
    rows: (stats) => Object.entries(stats.failures).map(([stage, count]) => [{ stage }, count]),
  },
  {
    name: 'postern_restarts_total',
    type: 'counter',
    help: 'How often the PT was started again.',
    rows: (stats) => [[{}, stats.restarts]],
  },
]

/** The whole page. */
export function formatMetrics(measured: readonly Measured[]): string {
  return `${metrics.map((metric) => formatMetric(metric, measured)).join('\n')}\n`
}

function formatMetric({ name, type, help, rows }: Metric, measured: readonly Measured[]): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
  for (const { name: tunnel, kind: role, stats } of measured) {
    for (const [labels, value] of rows(stats))
      lines.push(`${name}${formatLabels({ tunnel, role, ...labels })} ${value}`)
  }
  return lines.join('\n')
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replace(/["\\\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`))}"`,
  )
  return `{${pairs.join(',')}}`
}
