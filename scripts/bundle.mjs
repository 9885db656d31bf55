// `postern pt` as one file. A parent waits for METHODS DONE, and fifty small modules take Node longer than all that they do.
//
//     dist/cli/main.js      hands over to
//     dist/cli/postern.cjs  what is run: scripts/first.cjs, which refuses a runtime that is too old, and else hands over to
//     dist/cli/main.cjs     main.ts with all of `postern pt`; other commands are imported from the files that tsc wrote
//
// Files of other commands that need a development dependency have it written into them, so that nobody who uses the library
// installs it; dist/cli/LICENSES.txt has the licences of everything that is inside of something else.
//
// The library stays as tsc wrote it. A transport of `--load` that imports it has a copy of its own beside the one in here,
// so what is told apart across that border goes by name or code, never by class.
import { chmodSync, copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as nodeCrypto from 'node:crypto'
import * as dnsPromises from 'node:dns/promises'
import * as fsPromises from 'node:fs/promises'
import * as nodeUtil from 'node:util'
import * as nodeV8 from 'node:v8'
import * as salsa from '@noble/ciphers/salsa.js'
import { rolldown } from 'rolldown'
import { root } from './setup.mjs'

const entry = `${root}src/cli/main.ts`
/** What main.ts imports on demand and a PT needs; everything else stays outside. */
const inside = new Set(['./pt.ts', './version.ts', '../pt/index.ts', '../ipc/index.ts'])

/** The list of the built-in transports, which imports each of them on demand. */
const transports = `${root}src/transports/index.ts`
/** Transports that stay outside, as they bring TLS with them, for which a PT that does not run them is not to pay. */
const outside = new Set(['./webtunnel/index.ts', './meek/index.ts'])

/** Modules that take Node a while to load and are not needed before METHODS DONE, at least not always. */
const late = {
  'node:crypto': nodeCrypto,
  'node:dns/promises': dnsPromises,
  'node:fs/promises': fsPromises,
  'node:util': nodeUtil,
  'node:v8': nodeV8,
  '@noble/ciphers/salsa.js': salsa,
}
const prefix = '\0late '

/** Commands besides `pt`, and some transports, are imported from where tsc puts them. */
const importedLater = {
  name: 'imported-later',
  resolveId: {
    handler(source, importer, { kind }) {
      if (kind !== 'dynamic-import') return undefined
      if (importer === entry) return { id: source.replace(/\.ts$/, '.js'), external: true }
      if (importer !== transports || !outside.has(source)) return undefined
      return { id: source.replace(/^\.(.*)\.ts$/, '../transports$1.js'), external: true }
    },
  },
}

/** Functions of those modules load their module when they are first called, and are its own from then on. */
const lateModules = {
  name: 'late-modules',
  resolveId(source, importer) {
    return source in late && !importer?.startsWith(prefix) ? `${prefix}${source}` : undefined
  },
  load(id) {
    if (!id.startsWith(prefix)) return undefined
    const name = id.slice(prefix.length)
    const functions = Object.keys(late[name]).filter(
      (key) => typeof late[name][key] === 'function' && /^[a-z]/.test(key),
    )
    const lines = functions.map((key) => `export let ${key} = (...args) => (${key} = load().${key})(...args)\n`)
    return `let loaded\nconst load = () => (loaded ??= require('${name}'))\n${lines.join('')}`
  },
}

/**
 * What lies inside is imported at once: for the sake of an import on demand rolldown would wrap each module in a function of its
 * own, whose constants V8 cannot rely on. That was 7 % of the CPU of a connection, and 3 ms of the start.
 */
const insideAtOnce = {
  name: 'inside-at-once',
  transform(code, id) {
    if (id !== entry && id !== transports) return undefined
    const imports = []
    const atOnce = code.replaceAll(/import\('(\.[^']+)'\)/g, (whole, source) => {
      if (id === entry ? !inside.has(source) : outside.has(source)) return whole
      const name = `inside${imports.length}`
      imports.push(`import * as ${name} from '${source}'`)
      return `Promise.resolve(${name})`
    })
    return `${atOnce}\n${imports.join('\n')}\n`
  },
}

/** The version is written into the bundle: to read package.json would be a fiftieth of a PT's start. */
const versionInside = {
  name: 'version-inside',
  load(id) {
    if (id !== `${root}src/cli/version.ts`) return undefined
    const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
    return `export const packageVersion = () => ${JSON.stringify(version)}\n`
  },
}

/** A file of ASCII alone is kept in half the memory and read without decoding. Other characters stand in literals only. */
const inAscii = {
  name: 'in-ascii',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      chunk.code = chunk.code.replaceAll(
        /[^\0-\x7f]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
    }
  },
}

/** Packages that one command needs, and nobody who imports the library. */
const tools = ['smol-toml']

/** The sources below src/cli that import one of those. */
function filesWithTools() {
  return readdirSync(`${root}src/cli`, { recursive: true })
    .map((file) => file.split('\\').join('/'))
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => {
      const text = readFileSync(`${root}src/cli/${file}`, 'utf8')
      return tools.some((name) => text.includes(` from '${name}'`))
    })
}

/** Our own modules are imported from where tsc puts them. */
const ownOutside = {
  name: 'own-outside',
  resolveId: {
    handler(source, importer) {
      if (!source.startsWith('.') || importer?.includes('/node_modules/')) return undefined
      return { id: source.replace(/\.ts$/, '.js'), external: true }
    },
  },
}

/** One file of another command, with the tools that it imports inside. */
async function writeWithTools(file) {
  const build = await rolldown({
    input: `${root}src/cli/${file}`,
    platform: 'node',
    transform: { target: 'node20.19' },
    plugins: [ownOutside],
  })
  const { output } = await build.write({
    file: `${root}dist/cli/${file.replace(/\.ts$/, '.js')}`,
    format: 'esm',
    codeSplitting: false,
  })
  return output
}

/** The licences of the packages that lie inside these chunks. */
function licences(chunks) {
  const packages = new Set(
    chunks
      .flatMap((chunk) => Object.keys(chunk.modules ?? {}))
      .map((id) => /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(id.replaceAll('\\', '/'))?.[1])
      .filter((folder) => folder !== undefined),
  )
  const texts = [...packages]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
      return `${name} ${version}\n\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`
    })
  return `Parts of these packages lie inside files of this folder.\n\n${texts.join('\n----\n\n')}`
}

/** Writes all of it; tsc has run. */
export async function bundle() {
  const build = await rolldown({
    input: entry,
    platform: 'node',
    transform: { target: 'node20.19' },
    // package.json says that no module of the library does anything when it is imported. Two that the command line begins with do.
    treeshake: { moduleSideEffects: [{ test: /\/src\/(?:cli|pt)\//, sideEffects: true }] },
    plugins: [insideAtOnce, importedLater, lateModules, versionInside, inAscii],
  })
  const { output } = await build.write({
    dir: `${root}dist/cli`,
    entryFileNames: 'main.cjs',
    format: 'cjs',
    codeSplitting: false,
    minify: true,
  })
  const chunks = [...output]
  for (const file of filesWithTools()) chunks.push(...(await writeWithTools(file)))
  writeFileSync(`${root}dist/cli/LICENSES.txt`, licences(chunks))
  const launcher = `#!/usr/bin/env node\nimport { createRequire } from 'node:module'\ncreateRequire(import.meta.url)('./postern.cjs')\n`
  writeFileSync(`${root}dist/cli/main.js`, launcher)
  copyFileSync(`${root}scripts/first.cjs`, `${root}dist/cli/postern.cjs`)
  // torrc may name them without a `node` before them.
  for (const name of ['main.js', 'postern.cjs']) chmodSync(`${root}dist/cli/${name}`, 0o755)
}
