// The import borders of docs/decisions/0001-layout.md: each room of src/ imports only what its row allows.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const src = fileURLToPath(new URL('../src/', import.meta.url))

/** Every room may import these: the family of errors, the table of stages, the check of options that throws an error, and the plain mode. */
const everybodys = new Set(['error', 'failure', 'options', 'plain'])

/** Room → the rooms it may import besides itself and those. */
const rooms = {
  error: [],
  failure: [],
  options: [],
  plain: [],
  ipc: [],
  io: [],
  crypto: [],
  http1: [],
  tls: ['io', 'crypto'],
  socks: ['ipc', 'io'],
  extor: ['ipc', 'io', 'crypto'],
  transport: ['ipc', 'io'],
  upstream: ['ipc', 'io', 'http1', 'socks'],
  transports: ['transport', 'addresses', 'ipc', 'io', 'crypto', 'http1', 'tls'],
  sessions: ['ipc', 'io', 'crypto', 'upstream', 'transport'],
  pt: ['ipc', 'io', 'socks', 'extor', 'upstream', 'transport', 'sessions'],
  parent: ['ipc', 'io', 'socks', 'extor'],
  addresses: ['ipc'],
  lines: ['addresses', 'ipc'],
  bridges: ['lines', 'parent', 'ipc', 'io', 'socks', 'upstream', 'transport', 'sessions'],
  http: ['bridges'],
  webtunnel: ['transports', 'sessions', 'lines', 'http1', 'ipc', 'io'],
  tunnels: ['bridges', 'lines', 'addresses', 'parent', 'ipc', 'io', 'socks', 'upstream', 'transport', 'sessions'],
  app: ['addresses', 'lines', 'bridges', 'http', 'tunnels'],
  fetch: ['http'],
  check: ['parent', 'ipc', 'io', 'socks', 'extor'],
  testing: ['parent', 'ipc', 'io', 'socks', 'extor', 'transport', 'sessions'],
  index: [
    'ipc',
    'io',
    'socks',
    'extor',
    'transport',
    'upstream',
    'tls',
    'transports',
    'pt',
    'parent',
    'app',
    'testing',
  ],
  cli: [
    'ipc',
    'io',
    'socks',
    'extor',
    'transport',
    'upstream',
    'transports',
    'pt',
    'parent',
    'app',
    'check',
    'testing',
    'tls',
  ],
}

/**
 * The floors inside a room: each part may import those that its row names, and the files of its own folder. An index is only an entry.
 */
const parts = {
  io: {
    wait: [],
    files: [],
    ends: [],
    tcp: ['wait', 'ends'],
    udp: ['wait', 'ends'],
    read: ['wait', 'tcp'],
    carry: ['wait', 'ends', 'tcp'],
    deprecated: ['wait', 'ends', 'tcp', 'read', 'carry'],
    index: ['wait', 'ends', 'tcp', 'udp', 'read', 'carry', 'deprecated'],
  },
}

/** The entry of a room whose parts are imported one by one: its names are for other packages. */
const entriesForOthers = new Set(['io/index.ts', 'io/deprecated.ts'])

/**
 * A stream is asked what it can do (channelOf), and not of which class it is: a connection may be a socket of this package, of
 * Node's, or of another copy of this package.
 */
const asksForClass = /\binstanceof\s+(?:\w+\.)?\w*(?:Socket|Duplex|Readable|Writable|Stream|Pipe|Channel)\b/

/** Files that rooms may import besides: what an argument of a bridge line may be is known to the transports alone. */
const files = { lines: ['transports/arguments.ts'] }

/** node: modules that a room may not import, as it is pure or must not reach the process or the network. */
const forbiddenModules = {
  ipc: ['fs', 'stream', 'crypto', 'dns', 'http', 'child_process', 'process', 'os'],
  crypto: ['fs', 'stream', 'net', 'dns', 'http', 'child_process', 'process', 'os'],
  http1: ['fs', 'stream', 'net', 'dns', 'http', 'child_process', 'process', 'os'],
  transports: ['net', 'dns', 'tls', 'dgram', 'child_process', 'process'],
}

/**
 * The only places that touch process.env, the standard streams, signals and exit. A parent hands its environment on and signals its
 * PTs, and the checker's stand-in is a process of its own, which the parent under test launches. io/tcp/tcp-binding.ts asks which
 * Node it runs on, plain.ts whether the plain mode is wanted, http/runtime.ts whether it is Node at all, and io/files/ whose files and processes are their own;
 * bridges/temp-folder.ts clears up when the process exits, and tls/certificates/roots.ts reads SSL_CERT_FILE and SSL_CERT_DIR.
 */
const mayTouchProcess =
  /^(?:cli\/|plain\.ts$|pt\/(?:main|parent-process)\.ts$|parent\/(?:cookie-home|child-environment|group)\.ts$|check\/parent\/stand-in\.ts$|io\/(?:tcp\/tcp-binding|files\/(?:drafts|in-place))\.ts$|bridges\/(?:own-pt|temp-folder)\.ts$|http\/runtime\.ts$|tls\/certificates\/roots\.ts$)/

const roomOf = (file) => file.split('/')[0].replace(/\.ts$/, '')
const partOf = (file) => file.split('/')[1].replace(/\.ts$/, '')
const problems = []
for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
  const path = join(entry.parentPath, entry.name)
  const file = relative(src, path).split('\\').join('/')
  const room = roomOf(file)
  const text = readFileSync(path, 'utf8')
  if (!(room in rooms)) problems.push(`src/${file}: ${room} is no room of the table`)
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    if (specifier.startsWith('.')) {
      const imported = posix.normalize(
        relative(src, resolve(dirname(path), specifier))
          .split('\\')
          .join('/'),
      )
      const target = roomOf(imported)
      if (files[room]?.includes(imported)) continue
      if (entriesForOthers.has(imported) && target !== room) {
        problems.push(`src/${file}: ${imported} is for other packages; import the file that has what is needed`)
      }
      if (target === room && room in parts) {
        const [from, to] = [partOf(file), partOf(imported)]
        if (from !== to && !parts[room][from]?.includes(to)) {
          problems.push(`src/${file}: ${room}/${from} may not import ${room}/${to} (${specifier})`)
        }
      }
      if (target !== room && !everybodys.has(target) && !rooms[room]?.includes(target)) {
        problems.push(`src/${file}: ${room} may not import ${target} (${specifier})`)
      }
    } else if (forbiddenModules[room]?.includes(specifier.replace(/^node:/, ''))) {
      problems.push(`src/${file}: ${room} may not import ${specifier}`)
    }
  }
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
  // A key that is exported after it was drawn may hang the process: docs/decisions/0089-keys-that-hang.md.
  if (/\.export\(\{/.test(code) && file !== 'crypto/x25519.ts') {
    problems.push(`src/${file}: no key is exported; let generateKeyPairSync() encode it`)
  }
  if (asksForClass.test(code) || (room === 'io' && /\binstanceof\b/.test(code))) {
    problems.push(`src/${file}: instanceof may not decide about a stream`)
  }
  if (!mayTouchProcess.test(file) && /(?<![\w.'"`-])(?:process\.(?!platform\b)|console\.)/.test(code)) {
    problems.push(`src/${file}: only the files that mayTouchProcess names may touch the process or the console`)
  }
}
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
else console.log('import borders: kept')
