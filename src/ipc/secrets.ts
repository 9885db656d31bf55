/**
 * What no text may repeat of a bridge (ANON-1, ANON-4): for `redact`, as no pattern finds the name of a host or a password.
 *
 *     webtunnel 192.0.2.1:443 url=https://cdn.example/secret    192.0.2.1:443, 192.0.2.1, the URL, cdn.example, /secret
 */

/** Returns what a bridge is known by: `host:port`, the host, and every argument, whole and in its parts. */
export function secretsOf(target: string, args: Iterable<readonly [string, string]>): string[] {
  const host = target.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return [target, host, ...[...args].flatMap(([, value]) => [value].concat(partsOf(value)))]
}

/** Returns the parts of a value: of a URL the host and what follows it; of a list its items. */
function partsOf(value: string): string[] {
  return value.split(',').flatMap((item) => {
    const [, host, rest] = /^[a-z][a-z0-9+.-]*:(?:\/\/)?([^/?#]+)(.*)$/i.exec(item) ?? []
    return [item, host?.replace(/^.*@/, '').replace(/:\d+$/, ''), rest].filter((part) => part !== undefined)
  })
}
