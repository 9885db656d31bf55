/**
 * Words in front of a command that take something away from a program that nothing else takes away from root: on Linux,
 * with namespaces of its own.
 */
import { userInfo } from 'node:os'
import type { Launched } from '../lab/launch.ts'

/** The exit status if the system has namespaces but permits no change inside them. */
const REFUSED = 97

/** Leaves no free port: the range of ports for listeners is a single one, and that is reserved. */
export function withoutPorts(): string[] {
  const change = 'cd /proc/sys/net/ipv4 && echo 61000 61000 >ip_local_port_range && echo 61000 >ip_local_reserved_ports'
  return unshare('--net', `{ ${change}; } 2>/dev/null || exit ${REFUSED}; cd "$OLDPWD" && exec "$@"`, 'sh')
}

/** Makes `folder` a file system that no process can write to. */
export function withReadOnly(folder: string): string[] {
  return unshare('--mount', `mount -t tmpfs -o ro tmpfs "$0" 2>/dev/null || exit ${REFUSED}; exec "$@"`, folder)
}

function unshare(namespace: string, script: string, name: string): string[] {
  const root = userInfo().uid === 0 ? [] : ['--user', '--map-root-user']
  return ['unshare', ...root, namespace, '/bin/sh', '-c', script, name]
}

/** False if the system did not give the program such a namespace, so that it was never started. */
export function hasNamespace(pt: Launched): boolean {
  return !pt.unstarted && pt.exit !== REFUSED && !/^unshare: /m.test(pt.stderr)
}
