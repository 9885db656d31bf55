/**
 * npm run peers: brings the peers of today that this machine's Debian is too old for, and other runtimes than Node. It makes
 * no other change to the machine.
 *
 *     node scripts/peers.mjs [NAME…]     lyrebird webtunnel snowflake-client snowflake-proxy bun deno, or those that are named
 *
 * The packages come from Debian's newest suite, by apt with lists and a cache of its own, so the machine's own packages and
 * settings stay as they are. apt checks the signatures. The programs lie in .peers/bin, or in $POSTERN_PEERS/bin, which
 * several checkouts can share. The suite moves, so versions are printed and not pinned. POSTERN_PEERS_SUITE names another.
 * Bun and Deno come from npm, from the packages that hold their programs for this machine, in the versions below.
 */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const folder = process.env.POSTERN_PEERS ?? join(root, '.peers')
const suite = process.env.POSTERN_PEERS_SUITE ?? 'sid'
const arch = process.arch === 'arm64' ? 'arm64' : 'x64'
const runtimes = {
  bun: { from: `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : 'x64'}`, version: '1.4.5', program: 'bin/bun' },
  deno: { from: `@deno/linux-${arch}-glibc`, version: '2.9.6', program: 'deno' },
}
const debian = ['lyrebird', 'webtunnel', 'snowflake-client', 'snowflake-proxy']
const known = [...debian, ...Object.keys(runtimes)]
const names = process.argv.length > 2 ? process.argv.slice(2) : known

const unknown = names.filter((name) => !known.includes(name))
if (unknown.length > 0) fail(`there is no peer ${unknown.join(', ')}; there are ${known.join(', ')}`)

mkdirSync(join(folder, 'bin'), { recursive: true })
fromDebian(names.filter((name) => debian.includes(name)))
for (const name of names) if (name in runtimes) fromNpm(name, runtimes[name])

function fromDebian(wanted) {
  if (wanted.length === 0) return
  for (const part of ['apt/sources', 'apt/lists/partial', 'apt/cache/archives/partial']) {
    mkdirSync(join(folder, part), { recursive: true })
  }
  writeFileSync(join(folder, `apt/sources/${suite}.sources`), source())
  apt(['update'])
  for (const name of wanted) {
    const packages = join(folder, name)
    rmSync(packages, { recursive: true, force: true })
    mkdirSync(packages)
    apt(['download', name], packages)
    const [file] = readdirSync(packages)
    run('dpkg', ['-x', file, '.'], packages)
    const programs = join(packages, 'usr/bin')
    for (const program of readdirSync(programs)) copyFileSync(join(programs, program), join(folder, 'bin', program))
    console.log(file.replace(/_[^_]*\.deb$/, '').replace('_', ' '))
  }
}

function fromNpm(name, { from, version, program }) {
  const packages = join(folder, name)
  rmSync(packages, { recursive: true, force: true })
  mkdirSync(packages)
  run(
    'npm',
    ['install', '--silent', '--no-save', '--no-audit', '--ignore-scripts', '--prefix', packages, `${from}@${version}`],
    packages,
  )
  rmSync(join(folder, 'bin', name), { force: true })
  renameSync(join(packages, 'node_modules', from, program), join(folder, 'bin', name))
  rmSync(packages, { recursive: true, force: true })
  console.log(`${name} ${version}`)
}

/** The first Debian source of this machine, with the suite exchanged. */
function source() {
  const uri = sourceFiles()
    .flatMap((path) => readFileSync(path, 'utf8').split('\n'))
    .map((line) => /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+\/debian\/?)(?:\s|$)/.exec(line)?.[1])
    .find((found) => found !== undefined)
  if (uri === undefined) fail('this machine names no Debian source in /etc/apt')
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  return `Types: deb\nURIs: ${uri}\nSuites: ${suite}\nComponents: main\nSigned-By: ${keyring}\n`
}

function sourceFiles() {
  const listed = '/etc/apt/sources.list.d'
  const names = existsSync(listed) ? readdirSync(listed).filter((name) => /\.(?:list|sources)$/.test(name)) : []
  return ['/etc/apt/sources.list', ...names.map((name) => join(listed, name))].filter((path) => existsSync(path))
}

function apt(args, cwd = folder) {
  const options = {
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': join(folder, 'apt/sources'),
    'Dir::State::lists': join(folder, 'apt/lists'),
    'Dir::Cache': join(folder, 'apt/cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
  }
  run(
    'apt-get',
    ['-qq', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]), ...args],
    cwd,
  )
}

function run(program, args, cwd) {
  const { status, error, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (status !== 0) fail(`${program} ${args.at(-1)} failed: ${error?.message ?? stderr.trim()}`)
}

function fail(message) {
  console.error(`peers: ${message}`)
  process.exit(1)
}
