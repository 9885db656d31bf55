// The commands. `postern pt` is one file: a parent waits for METHODS DONE, and fifty small modules take Node longer than all that they do.
//
//     dist/cli/main.js        hands over to
//     dist/cli/postern.cjs    what is run: scripts/first.cjs, which refuses a runtime that is too old, and else hands over to
//     dist/cli/main.cjs       main.ts with all of `postern pt`
//     dist/cli/*.cjs          what other commands add to it, loaded by the command that needs it
//
// Development dependencies that a command needs are inside, so that nobody who uses the library installs them; dist/cli/LICENSES.txt has the
// licences of everything that is inside of something else.
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
const transports = `${root}src/transports/index.ts`
/** What these files import on demand and lies in main.cjs. The rest of what is imported on demand is in chunks. */
const inside = new Map([
  [entry, ['./pt.ts', './version.ts', '../pt/index.ts', '../ipc/index.ts']],
  [transports, ['./obfs2/index.ts', './obfs3/index.ts', './obfs4/index.ts', './scramblesuit/index.ts']],
])

/** Packages that stay outside: they are dependencies of the library as well, and large. */
const outside = ['undici']

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

/** The names of `module` that can be loaded when they are first used: classes and constants cannot. */
function functionsOf(module) {
  return Object.keys(late[module]).filter((key) => typeof late[module][key] === 'function' && /^[a-z]/.test(key))
}

/** True if the file `importer` imports nothing but functions of `module`. */
function wantsFunctions(importer, module) {
  const functions = functionsOf(module)
  const text = readFileSync(importer, 'utf8')
  // A file that imports the whole module looks for what only another version of Node has.
  if (new RegExp(`^import \\* as \\w+ from '${module}'`, 'm').test(text)) return false
  const imports = text.matchAll(/^import \{([^}]*)\} from '([^']+)'/gm)
  const names = [...imports].filter(([, , from]) => from === module).flatMap(([, list]) => list.match(/\w+/g) ?? [])
  return names.every((name) => functions.includes(name))
}

/** Functions of those modules load their module when they are first called, and are its own from then on. */
const lateModules = {
  name: 'late-modules',
  resolveId(source, importer) {
    if (!(source in late) || importer === undefined || importer.startsWith(prefix)) return undefined
    return wantsFunctions(importer, source) ? `${prefix}${source}` : undefined
  },
  load(id) {
    if (!id.startsWith(prefix)) return undefined
    const name = id.slice(prefix.length)
    const lines = functionsOf(name).map((key) => `export let ${key} = (...args) => (${key} = load().${key})(...args)\n`)
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
    const sources = inside.get(id)
    if (sources === undefined) return undefined
    const imports = []
    const atOnce = code.replaceAll(/import\('(\.[^']+)'\)/g, (whole, source) => {
      if (!sources.includes(source)) return whole
      const name = `inside${imports.length}`
      imports.push(`import * as ${name} from '${source}'`)
      return `Promise.resolve(${name})`
    })
    return `${atOnce}\n${imports.join('\n')}\n`
  },
}

/** A file that looks for another one beside itself finds it beside the file that tsc wrote. */
const besideTheLibrary = {
  name: 'beside-the-library',
  transform(code, id) {
    if (!id.startsWith(`${root}src/`) || !code.includes('import.meta.url')) return undefined
    const written = id.slice(`${root}src/`.length).replace(/\.ts$/, '.js')
    return code.replaceAll('import.meta.url', `new URL('../${written}', import.meta.url)`)
  },
}

/** The modules that main.ts imports at once, directly or not: those of `postern pt`. They stay together in one file. */
const ofPt = new Set()
const findThoseOfPt = {
  name: 'find-those-of-pt',
  buildEnd() {
    const left = [entry]
    for (const id of left) {
      ofPt.add(id)
      left.push(...this.getModuleInfo(id).importedIds.filter((one) => !ofPt.has(one)))
    }
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
    external: outside,
    transform: { target: 'node20.19' },
    // package.json says that no module of the library does anything when it is imported. Two that the command line begins with do.
    treeshake: { moduleSideEffects: [{ test: /\/src\/(?:cli|pt)\//, sideEffects: true }] },
    plugins: [insideAtOnce, besideTheLibrary, lateModules, versionInside, findThoseOfPt, inAscii],
  })
  const { output } = await build.write({
    dir: `${root}dist/cli`,
    entryFileNames: 'main.cjs',
    chunkFileNames: '[name].cjs',
    format: 'cjs',
    minify: true,
    codeSplitting: {
      groups: [
        { name: 'pt', test: (id) => ofPt.has(id), priority: 2 },
        // What several transports share, which a PT may load, is apart from what several commands share.
        { name: 'transports', test: /\/src\/(?:tls|http1|transports)\//, minShareCount: 2, priority: 1 },
        { name: 'shared', minShareCount: 2, priority: 0 },
      ],
    },
  })
  writeFileSync(`${root}dist/cli/LICENSES.txt`, licences(output))
  const launcher = `#!/usr/bin/env node\nimport { createRequire } from 'node:module'\ncreateRequire(import.meta.url)('./postern.cjs')\n`
  writeFileSync(`${root}dist/cli/main.js`, launcher)
  copyFileSync(`${root}scripts/first.cjs`, `${root}dist/cli/postern.cjs`)
  // torrc may name them without a `node` before them.
  for (const name of ['main.js', 'postern.cjs']) chmodSync(`${root}dist/cli/${name}`, 0o755)
}
