/**
 * What `postern check` finds in programs that others wrote, for the version that each was looked at in. A peer moves on in its
 * own time: tests compare it only if it has that version, and `npm run drift` says what is different in another one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { debianFolder } from './peers.mjs'

/** By program. `broken` are statements of the draft, `advice` the traps of real peers. */
export const knownPeers = {
  lyrebird: {
    version: '0.8.1',
    options: { transport: 'obfs4' },
    client: {
      broken: ['CM-4', 'FLOW-2', 'FLOW-3', 'PROXY-2'],
      advice: ['TRAP-10', 'TRAP-11', 'TRAP-13', 'TRAP-14', 'TRAP-15', 'TRAP-19', 'TRAP-2'],
    },
    server: {
      broken: ['FLOW-2', 'FLOW-3', 'SENV-6'],
      advice: ['TRAP-10', 'TRAP-11', 'TRAP-15', 'TRAP-2', 'TRAP-20', 'TRAP-23', 'TRAP-3'],
    },
  },
  'snowflake-client': {
    version: '2.10.1',
    options: { transport: 'snowflake', roles: ['client'] },
    arguments: ['-url', 'http://127.0.0.1:9/'],
    client: {
      broken: ['CM-4', 'PROXY-2', 'STOP-4'],
      advice: ['TRAP-10', 'TRAP-15', 'TRAP-18', 'TRAP-19', 'TRAP-2', 'TRAP-3'],
    },
  },
  'webtunnel-client': {
    version: '0.0.7',
    options: { transport: 'webtunnel', roles: ['client'] },
    client: {
      broken: ['ANON-4', 'CM-4', 'PROXY-2', 'STOP-4'],
      advice: ['TRAP-10', 'TRAP-15', 'TRAP-18', 'TRAP-19', 'TRAP-2', 'TRAP-3'],
    },
  },
  // It announces a made-up address, as its clients are to connect to the web server in front of it.
  'webtunnel-server': {
    version: '0.0.7',
    options: { transport: 'webtunnel', roles: ['server'], options: 'url=https://bridge.example/secret' },
    server: {
      broken: ['SENV-6', 'SM-1', 'SM-2', 'SM-5'],
      advice: ['TRAP-10', 'TRAP-15', 'TRAP-18', 'TRAP-2', 'TRAP-23', 'TRAP-3'],
    },
  },
}

/** The upstream version of a program that `npm run peers` brought, without Debian's revision; undefined if it did not. */
export function versionOf(program) {
  const list = join(debianFolder, 'versions.json')
  const versions = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : {}
  return versions[program]?.replace(/-[^-]*$/, '')
}
