/** The package as npm makes it: what is in it, what it needs, and what a bundler takes of it. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, posix } from 'node:path'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'
import { filesBelow, textOf } from '../scripts/titles.mjs'
import { root, tempDir } from './support.ts'

interface Manifest {
  readonly exports: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
}

const manifest = JSON.parse(textOf('package.json')) as Manifest

/** What `npm pack` would put into the package, with what stands in dist now. */
let packed: Set<string> | undefined

function packedFiles(): Set<string> {
  packed ??= new Set(listPacked())
  return packed
}

function listPacked(): string[] {
  const json = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' })
  const [list] = JSON.parse(json) as [{ files: { path: string }[] }]
  return list.files.map(({ path }) => path)
}

/** The files and folders that a page links to, as paths from the project's root. */
function linksOf(page: string): string[] {
  return [...textOf(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = '']) =>
    posix.join(posix.dirname(page), link),
  )
}

test('everything that the pages of the package link to, its exports and its commands are in it', () => {
  const files = packedFiles()
  const isThere = (path: string): boolean =>
    path.endsWith('/') ? [...files].some((file) => file.startsWith(path)) : files.has(path)
  const pages = [...files].filter((file) => file.endsWith('.md'))
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/operating.md', 'CHANGELOG.md', 'SECURITY.md']))
  expect(pages.flatMap((page) => linksOf(page).filter((link) => !isThere(link)))).toEqual([])
  const named = [...Object.values(manifest.exports), ...Object.values(manifest.bin)].map((path) =>
    posix.normalize(path),
  )
  expect(named.filter((path) => !files.has(path))).toEqual([])
  const types = named.filter((path) => path.endsWith('.js')).map((path) => path.replace(/js$/, 'd.ts'))
  expect(types.filter((path) => !files.has(path))).toEqual([])
})

test('no reports as web pages, nothing of the tests, no sources of the build are in it', () => {
  const files = [...packedFiles()]
  expect(files.filter((file) => /\.html$|^dist\/(?:examples|readme|test-)|^(?:src|test|scripts)\//.test(file))).toEqual(
    [],
  )
})

const inModules = /(?:\bfrom\s+|^import\s+|\bimport\()['"]([^'"./][^'"]*)['"]/gm
const inBundles = /\b(?:import|require)\(['"`]([^'"`./][^'"`]*)['"`]\)/g

test('what was built imports nothing but Node’s modules and the dependencies, and undici on demand alone', () => {
  const own = Object.keys(manifest.dependencies)
  const strangers: string[] = []
  for (const file of [...packedFiles()].filter((file) => /^dist\/.*\.c?js$/.test(file))) {
    const text = textOf(file)
    for (const [statement, name = ''] of text.matchAll(file.endsWith('.cjs') ? inBundles : inModules)) {
      const known = name.startsWith('node:') || builtinModules.includes(name)
      const isOwn = own.some((one) => name === one || name.startsWith(`${one}/`))
      const late = name !== 'undici' || statement.startsWith('import(')
      if (!known && !(isOwn && late)) strangers.push(`${file}: ${name}`)
    }
  }
  expect(strangers).toEqual([])
})

test('a bundler takes what is used and no more: nothing of a bare import, a few kB for one function', async () => {
  const dir = tempDir()
  const warnings: string[] = []
  const sizeOf = async (program: string): Promise<number> => {
    writeFileSync(join(dir, 'main.js'), program)
    const build = await rolldown({
      input: join(dir, 'main.js'),
      platform: 'node',
      onLog: (_level, { message }) => void warnings.push(message),
      resolve: { alias: { postern: join(root, 'dist/index.js') } },
    })
    const { output } = await build.generate({ minify: true, codeSplitting: false })
    return output[0].code.length
  }
  expect(await sizeOf("import 'postern'")).toBeLessThan(200)
  const one = await sizeOf("import { parseBridgeLine } from 'postern'\nconsole.log(parseBridgeLine(process.argv[2]))")
  expect(one).toBeGreaterThan(1_000)
  expect(one).toBeLessThan(8_000)
  await sizeOf("import { openBridge } from 'postern'\nconsole.log(await openBridge(process.argv[2]))")
  expect(warnings).toEqual([])
})

test('no module looks for a `this` of its own, of which other bundlers warn', () => {
  const modules = filesBelow('dist', '.js').filter((file) =>
    /\(this && this\.|^\w+ __\w+ = .*\bthis\b/m.test(textOf(file)),
  )
  expect(modules).toEqual([])
})

test('the licences of what lies inside the command line are beside it', () => {
  const text = readFileSync(join(root, dirname(manifest.bin['postern'] ?? ''), 'LICENSES.txt'), 'utf8')
  const inside = ['@noble/ciphers', '@noble/curves', '@noble/hashes', '@noble/post-quantum', 'fzstd', 'smol-toml']
  expect([...text.matchAll(/^(\S+) \d+\.\d+\.\d+$/gm)].map(([, name]) => name)).toEqual(inside)
  expect(text.match(/^.*Permission is hereby granted|^Redistribution and use/gm)).toHaveLength(inside.length)
})
