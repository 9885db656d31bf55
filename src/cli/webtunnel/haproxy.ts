/**
 * Sections of HAProxy with a tunnel at one path and a site at all others, in two forms.
 *
 *     tcp    for every client. HAProxy looks at the first bytes after TLS, gives a tunnel to the PT byte by byte, and treats all else as HTTP.
 *            The PT does not learn the addresses of its clients.
 *     http   for clients of Postern alone: HAProxy answers a WebSocket's request without Sec-WebSocket-Key, as lyrebird sends it, with 400.
 */
import { formatAddress } from '../../ipc/index.ts'
import type { FrontPlan } from './front-plan.ts'

export function haproxyConfiguration(plan: FrontPlan): string {
  return `${head(plan)}${plan.mode === 'tcp' ? tcpSections(plan) : httpSections(plan)}${siteSection(plan)}`
}

function head({ mode, site }: FrontPlan): string {
  const meaning =
    mode === 'tcp'
      ? `# Mode tcp takes the clients of all programs. The PT sees every tunnel come from this machine, as no header can be added; with
# \`--mode http\` it learns the addresses, but then clients of lyrebird and Tor Browser get 400, for HAProxy wants a
# Sec-WebSocket-Key, which they do not send.`
      : `# Mode http takes clients of Postern alone. Those of lyrebird and Tor Browser get 400, for HAProxy wants a
# Sec-WebSocket-Key, which they do not send: leave \`--mode http\` out if the bridge is for them too.`
  const secret =
    mode === 'tcp' && site === undefined
      ? ''
      : '\n# It holds the path, which is the secret of the bridge: chown root, chmod 600.'
  return `# A bridge of webtunnel and its HAProxy (2.4 or newer), by \`postern webtunnel front haproxy\`.
#
# Put it at the end of /etc/haproxy/haproxy.cfg, and: haproxy -c -f /etc/haproxy/haproxy.cfg && systemctl reload haproxy${secret}
# The file after crt has the certificates and then the key: cat fullchain.pem privkey.pem
#
${meaning}
#
# Each tunnel takes two of the process's connections: in the section global, maxconn 16384.

`
}

function tcpSections(plan: FrontPlan): string {
  return `frontend webtunnel
    mode tcp
${commonLines(plan)}
${plan.site === undefined ? allToPt : byFirstBytes(plan)}
backend webtunnel_pt
    mode tcp
${backendLines(plan)}`
}

/** The PT answers whatever is no tunnel, too; of HTTP/2 HAProxy makes HTTP/1.1 for it. */
const allToPt = `    tcp-request content switch-mode http proto h2 if { ssl_fc_alpn h2 }
    use_backend webtunnel_site if { ssl_fc_alpn h2 }
    default_backend webtunnel_pt
`

function byFirstBytes({ path }: FrontPlan): string {
  const request = `GET ${path} HTTP/1.1`
  return `    # A request for a page is at least as long as this one, so its first bytes decide.
    tcp-request inspect-delay 5s
    tcp-request content switch-mode http proto h2 if { ssl_fc_alpn h2 }
    tcp-request content set-var(txn.tunnel) bool(true) if { req.payload(0,${request.length}) -m str "${request}" }
    tcp-request content switch-mode http if !{ var(txn.tunnel) -m bool }
    use_backend webtunnel_pt if { var(txn.tunnel) -m bool }
    default_backend webtunnel_site
`
}

function httpSections(plan: FrontPlan): string {
  return `frontend webtunnel
    mode http
${commonLines(plan)}
    # Set and not appended to: what the client wrote does not count.
    http-request set-header X-Forwarded-For %[src]
    use_backend webtunnel_pt if { path -m str ${plan.path} } { req.hdr(upgrade) -m str -i websocket }
    default_backend webtunnel_site

backend webtunnel_pt
    mode http
${backendLines(plan)}`
}

/** Of a frontend, whose log would hold the addresses of the bridge's users. */
function commonLines({ host, port, bind, certificate = `/etc/haproxy/certs/${host}.pem` }: FrontPlan): string {
  const options = `ssl crt ${certificate} ssl-min-ver TLSv1.2 alpn h2,http/1.1`
  const binds = bind === undefined ? [`:${port}`, `:::${port} v6only`] : [formatAddress({ host: bind, port })]
  return `${binds.map((address) => `    bind ${address} ${options}`).join('\n')}
    no log
    maxconn 8192
    timeout client 30s
    timeout http-request 10s
    option clitcpka`
}

/** A tunnel may be silent for as long as `timeout tunnel`, in both modes. */
function backendLines({ pt }: FrontPlan): string {
  return `    retries 1
    timeout connect 10s
    timeout server 30s
    timeout tunnel 24h
    option srvtcpka
    server pt ${formatAddress(pt)}
`
}

function siteSection({ site, pt }: FrontPlan): string {
  const [note, name, address] =
    site === undefined
      ? [
          '\n    # The bridge has an answer for what is no tunnel: its option decoy says which. --site HOST:PORT names a web server instead.',
          'pt',
          pt,
        ]
      : ['', 'site', site]
  return `
backend webtunnel_site
    mode http${note}
    retries 1
    timeout connect 10s
    timeout server 30s
    server ${name} ${formatAddress(address)}
`
}
