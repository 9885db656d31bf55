/** A Caddyfile with a tunnel at one path and a site at all others. */
import { formatAddress } from '../../ipc/index.ts'
import type { FrontPlan } from './front-plan.ts'
import { authorityOf, HTTPS_PORT } from './tunnel-url.ts'

export function caddyConfiguration(plan: FrontPlan): string {
  const { path, port, pt, root = '/var/www/html' } = plan
  return `# A bridge of webtunnel and its Caddy, by \`postern webtunnel front caddy\`.
#
# This is a whole /etc/caddy/Caddyfile: chown root:caddy, chmod 640, as it holds the path, which is the secret of the bridge. If there is
# one already, put the lines of the first block into its first block, and the second block after its others.
# ${certificateNote(plan)}

{
	log default {
		# If the tunnel cannot be reached, these would write down the path and the address of the bridge's user.
		exclude http.log.error http.handlers.reverse_proxy
	}${port === HTTPS_PORT ? '' : '\n\tauto_https disable_redirects'}
}

https://${authorityOf(plan)} {${bindLine(plan)}${tlsLine(plan)}
	@tunnel {
		path_regexp ^${path.replaceAll('.', String.raw`\.`)}$
		# What is no tunnel gets the page that every wrong path gets.
		header Upgrade *
	}
	handle @tunnel {
		# Caddy sets X-Forwarded-For, and takes over none of a client's own. It ends no tunnel that is silent.
		reverse_proxy ${formatAddress(pt)}
	}
	handle {
		root * ${root}
		file_server
	}
}
`
}

function certificateNote({ certificate }: FrontPlan): string {
  if (certificate !== undefined) return 'The certificate is read from files; systemctl reload caddy reads them again.'
  return 'Caddy gets the certificate by itself; ports 80 and 443 have to be reachable for that.'
}

function bindLine({ bind }: FrontPlan): string {
  return bind === undefined ? '' : `\n\tbind ${bind}`
}

function tlsLine({ certificate, key }: FrontPlan): string {
  return certificate === undefined || key === undefined ? '' : `\n\ttls ${certificate} ${key}`
}
