/**
 * npm run conformance [NAME…]: writes docs/conformance/ again, a report as text and as a page for our PT and for each program that
 * is here. A name picks reports: `npm run conformance postern tor`. All of it takes some minutes on an idle machine.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { debianFolder } from './peers.mjs'
import { build, install, root } from './setup.mjs'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const folder = join(root, 'docs/conformance')

/** The parent's half of a torrc: tor by itself, with nothing open to the network and a bridge that does not exist. */
const tor = '-f {dir}/torrc --ignore-missing-torrc --DataDirectory {dir} --SocksPort 0'.split(' ')
const client = ['--Bridge', 'dummy 127.0.0.1:1 key=va;pad=xyz', '--Bridge', 'other 127.0.0.1:1 key=vb']
const server = '--BridgeRelay 1 --ORPort 127.0.0.1:auto --ExtORPort 127.0.0.1:auto --AssumeReachable 1'.split(' ')

/** File, heading, and the arguments of `postern check`. VERSION in the name of a file is that of the Debian package. */
const reports = [
  {
    file: `postern-${version}`,
    title: `Postern ${version}, with the transport rot_by_N of the examples`,
    check: ['pt', '--transport', 'rot_by_N', '--', 'postern', 'pt', '--load', 'dist/examples/rot-by-n.js'],
  },
  { file: `postern-${version}-obfs4`, title: `Postern ${version}, with obfs4`, check: ['pt', '--', 'postern', 'pt'] },
  { file: 'obfs4proxy-VERSION', package: 'obfs4proxy', check: ['pt', '--', 'obfs4proxy'] },
  { file: 'lyrebird-VERSION', package: 'lyrebird', check: ['pt', '--transport', 'obfs4', '--', 'lyrebird'] },
  {
    file: 'goptlib-VERSION-dummy-client',
    package: 'golang-goptlib-dev',
    check: ['pt', '--client', '--peer', 'dummy-server', '--', 'dummy-client'],
  },
  {
    file: 'goptlib-VERSION-dummy-server',
    package: 'golang-goptlib-dev',
    check: ['pt', '--server', '--peer', 'dummy-client', '--', 'dummy-server'],
  },
  {
    file: 'snowflake-client-VERSION',
    package: 'snowflake-client',
    note: ', without a broker',
    check: ['pt', '--client', '--', 'snowflake-client', '-url', 'http://127.0.0.1:9/'],
  },
  {
    file: 'tor-VERSION-client',
    package: 'tor',
    note: ', as the parent of a client',
    check: ['parent', '--', 'tor', ...tor, '--UseBridges', '1', ...client].concat([
      '--ClientTransportPlugin',
      'dummy,other exec {pt}',
    ]),
  },
  {
    file: 'tor-VERSION-server',
    package: 'tor',
    note: ', as the parent of a server',
    check: ['parent', '--', 'tor', ...tor, ...server].concat([
      '--ServerTransportPlugin',
      'dummy exec {pt}',
      '--ServerTransportOptions',
      'dummy key=va',
    ]),
  },
]

/** `1.2.0`, of a package of this machine's Debian or of those that `npm run peers` brought. */
function versionOf(name) {
  const brought = readVersions()[name]
  const asked = ['-f', '${Version}', '-W', name]
  const found = brought ?? spawnSync('dpkg-query', asked, { encoding: 'utf8' }).stdout
  return found.replace(/^\d+:/, '').replace(/[-+~].*/, '')
}

function readVersions() {
  try {
    return JSON.parse(readFileSync(join(debianFolder, 'versions.json'), 'utf8'))
  } catch {
    return {}
  }
}

/** Folders with goptlib's examples, which the tests have built. */
function goptlib() {
  try {
    return readdirSync(join(debianFolder, 'goptlib')).map((name) => join(debianFolder, 'goptlib', name))
  } catch {
    return []
  }
}

install()
await build()
const wanted = process.argv.slice(2)
const bin = mkdtempSync(join(tmpdir(), 'postern-conformance-'))
symlinkSync(join(root, 'dist/cli/postern.cjs'), join(bin, 'postern'))
const path = [bin, join(debianFolder, 'bin'), process.env.PATH, ...goptlib()].join(delimiter)
mkdirSync(folder, { recursive: true })
for (const { file, package: origin, title, note = '', check } of reports) {
  if (wanted.length > 0 && !wanted.some((name) => file.startsWith(name))) continue
  const name = origin === undefined ? file : file.replace('VERSION', versionOf(origin))
  const heading = title ?? `${name.replaceAll('-', ' ')} (Debian)${note}`
  const [subject, ...flags] = check
  const html = ['--html', join(folder, `${name}.html`)]
  const args = ['check', subject, '--title', heading, ...html, ...flags]
  const { stdout, stderr } = spawnSync(join(bin, 'postern'), args, {
    cwd: root,
    env: { ...process.env, PATH: path },
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (stdout === '') {
    console.log(`${name}: no report: ${stderr.trimEnd()}`)
    continue
  }
  writeFileSync(join(folder, `${name}.txt`), stdout)
  console.log(`${name}: ${stdout.trimEnd().split('\n').at(-1)}`)
}
rmSync(bin, { recursive: true, force: true })
