/**
 * npm run peers: brings the peers that this machine's Debian is too old for or does not have, and makes no other change to it.
 *
 *     node scripts/peers.mjs [NAME…]     all but arti, or those that are named
 *
 *     lyrebird webtunnel        packages of Debian's newest suite, in .peers/bin ($POSTERN_PEERS/bin). apt downloads them
 *     snowflake-client          with lists and a cache of its own and checks the signatures. The suite moves, so the versions
 *     snowflake-proxy           are printed and kept in versions.json, and not pinned.
 *     bun deno                  from npm, from the packages that hold their programs for this machine
 *     ptadapter tlslite         from PyPI into virtual environments
 *     arti                      built by cargo, which takes some five minutes; it wants libssl-dev, libsqlite3-dev and pkg-config
 *
 * The last five are pinned, and kept for all checkouts in $XDG_CACHE_HOME/postern or ~/.cache/postern.
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
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What is kept of Debian's newest suite: it is brought again by each run. */
export const debianFolder = process.env.POSTERN_PEERS ?? join(fileURLToPath(new URL('../', import.meta.url)), '.peers')

/** What takes long to make, by name and version. */
export const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'postern')

const suite = process.env.POSTERN_PEERS_SUITE ?? 'sid'
const packages = ['lyrebird', 'webtunnel', 'snowflake-client', 'snowflake-proxy']
const built = {
  bun: ['1.4.5', fromNpm(`@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`, 'bin/bun')],
  deno: ['2.9.6', fromNpm(`@deno/linux-${process.arch}-glibc`, 'deno')],
  ptadapter: ['3.0.1', makePtadapter],
  tlslite: ['0.8.2', makeTlslite],
  arti: ['2.7.0', makeArti],
}

/** The folder of a peer that is built. */
export function builtFolder(name) {
  return join(cacheFolder, `${name}-${built[name][0]}`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) bring(process.argv.slice(2))

function bring(named) {
  const names = named.length > 0 ? named : [...packages, ...Object.keys(built).filter((name) => name !== 'arti')]
  const unknown = names.filter((name) => !packages.includes(name) && !(name in built))
  const known = [...packages, ...Object.keys(built)].join(', ')
  if (unknown.length > 0) fail(`there is no peer ${unknown.join(', ')}; there are ${known}`)
  fromDebian(names.filter((name) => packages.includes(name)))
  for (const name of names.filter((name) => name in built)) {
    const [version, make] = built[name]
    const folder = builtFolder(name)
    if (!existsSync(join(folder, 'bin', name))) make(folder, version)
    console.log(`${name} ${version}`)
  }
}

function fromDebian(names) {
  if (names.length === 0) return
  for (const part of ['bin', 'apt/sources', 'apt/lists/partial', 'apt/cache/archives/partial']) {
    mkdirSync(join(debianFolder, part), { recursive: true })
  }
  writeFileSync(join(debianFolder, `apt/sources/${suite}.sources`), source())
  apt(['update'])
  const versions = {}
  for (const name of names) {
    const folder = join(debianFolder, name)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    apt(['download', name], folder)
    const [file] = readdirSync(folder)
    run('dpkg', ['-x', file, '.'], folder)
    const programs = join(folder, 'usr/bin')
    for (const program of readdirSync(programs)) {
      copyFileSync(join(programs, program), join(debianFolder, 'bin', program))
      versions[program] = file.split('_')[1]
    }
    console.log(`${name} ${file.split('_')[1]}`)
  }
  const list = join(debianFolder, 'versions.json')
  const before = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : {}
  writeFileSync(list, `${JSON.stringify({ ...before, ...versions }, undefined, 2)}\n`)
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

function apt(args, cwd = debianFolder) {
  const options = {
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': join(debianFolder, 'apt/sources'),
    'Dir::State::lists': join(debianFolder, 'apt/lists'),
    'Dir::Cache': join(debianFolder, 'apt/cache'),
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

/** Puts the program of an npm package into the folder's bin. */
function fromNpm(name, program) {
  return (folder, version) => {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(join(folder, 'bin'), { recursive: true })
    const options = ['--silent', '--no-save', '--no-audit', '--ignore-scripts', '--prefix', folder]
    run('npm', ['install', ...options, `${name}@${version}`], folder)
    renameSync(join(folder, 'node_modules', name, program), join(folder, 'bin', basename(program)))
    rmSync(join(folder, 'node_modules'), { recursive: true })
  }
}

function makePtadapter(folder, version) {
  makeVenv(folder, `ptadapter==${version}`)
}

/** Its script has the name tls.py, which says little among other programs. */
function makeTlslite(folder, version) {
  makeVenv(folder, `tlslite-ng==${version}`)
  copyFileSync(join(folder, 'bin/tls.py'), join(folder, 'bin/tlslite-server'))
}

function makeVenv(folder, requirement) {
  rmSync(folder, { recursive: true, force: true })
  run('python3', ['-m', 'venv', folder])
  run(join(folder, 'bin/pip'), ['--quiet', '--disable-pip-version-check', 'install', requirement])
}

/** Without optimization and debug information, as a test needs no speed of it. */
function makeArti(folder, version) {
  mkdirSync(folder, { recursive: true })
  const target = join(folder, 'target')
  const features = 'tokio,native-tls,bridge-client,pt-client'
  const what = ['arti', '--version', version, '--locked', '--no-default-features', '--features', features]
  run('cargo', ['install', ...what, '--root', folder, '--target-dir', target], folder, {
    CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
    CARGO_PROFILE_RELEASE_DEBUG: '0',
    CARGO_PROFILE_RELEASE_LTO: 'off',
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  })
  rmSync(target, { recursive: true, force: true })
}

function run(program, args, cwd, env = {}) {
  const options = { cwd, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 1 << 26 }
  const { status, error, stderr } = spawnSync(program, args, options)
  if (status !== 0) fail(`${program} ${args.at(-1)} failed: ${error?.message ?? stderr.trim()}`)
}

function fail(message) {
  console.error(`peers: ${message}`)
  process.exit(1)
}
