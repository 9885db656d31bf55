/**
 * Counts for Prometheus, in its text format 0.0.4, on a loopback port. Tunnels are told apart by their names; there is no
 * address in it.
 */
import { createServer } from 'node:http'
import type { TunnelStats } from '../../app/index.ts'
import { listen } from '../../io/index.ts'
import { formatAddress, parseAddress } from '../../ipc/index.ts'

export interface Measured {
  readonly name: string
  readonly kind: 'client' | 'server'
  readonly stats: TunnelStats
}

export interface MetricsServer {
  readonly address: string
  close(): Promise<void>
}

/** Serves `GET /metrics`. Rejects with the system's error (EADDRINUSE, …). */
export async function serveMetrics(where: string, measure: () => readonly Measured[]): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const known = request.url === '/metrics' && (request.method === 'GET' || request.method === 'HEAD')
    response.writeHead(known ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    response.end(known ? formatMetrics(measure()) : 'there is /metrics\n')
  })
  server.requestTimeout = 10_000
  server.maxConnections = 32
  const { host, port } = parseAddress(where)
  const address = formatAddress(await listen(server, host, port))
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { address, close }
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
