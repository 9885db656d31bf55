/** A server block of nginx with a tunnel at one path and a site at all others. */
import { formatAddress } from '../../ipc/index.ts'
import type { FrontPlan } from './front-plan.ts'
import { urlHost } from './tunnel-url.ts'

export function nginxConfiguration(plan: FrontPlan): string {
  const { host, path, pt, root = '/var/www/html' } = plan
  const folder = `/etc/letsencrypt/live/${host}`
  return `# A bridge of webtunnel and its nginx, by \`postern webtunnel front nginx\`.
#
# Put it into /etc/nginx/sites-available/, with a link to it in sites-enabled/, and: nginx -t && systemctl reload nginx
# It holds the path, which is the secret of the bridge: chown root, chmod 600.
#
# Each tunnel takes two of worker_connections and two open files. In nginx.conf:
#     worker_rlimit_nofile 16384;
#     events { worker_connections 8192; }

server {
${listenLines(plan)}
    server_name ${urlHost(host)};

    ssl_certificate ${plan.certificate ?? `${folder}/fullchain.pem`};
    ssl_certificate_key ${plan.key ?? `${folder}/privkey.pem`};
    # Clients of Postern speak TLS 1.3 alone.
    ssl_protocols TLSv1.2 TLSv1.3;

    root ${root};

    location = ${path} {
        # What is no tunnel gets the page that every wrong path gets.
        if ($http_upgrade !~* ^websocket$) { return 404; }

        proxy_pass http://${formatAddress(pt)};
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        # Set and not appended to: what the client wrote does not count.
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_connect_timeout 10s;
        # Without these two nginx ends a tunnel after 60 s of silence.
        proxy_read_timeout 24h;
        proxy_send_timeout 24h;
        proxy_socket_keepalive on;
        # Both logs would hold the path and the addresses of the bridge's users.
        access_log off;
        error_log /dev/null crit;
    }
}
`
}

/** HTTP/2 is for the site's pages; a tunnel asks for HTTP/1.1. */
function listenLines({ bind, port }: FrontPlan): string {
  const addresses = bind === undefined ? [`${port}`, `[::]:${port}`] : [formatAddress({ host: bind, port })]
  return addresses.map((address) => `    listen ${address} ssl http2;`).join('\n')
}
