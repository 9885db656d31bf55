// The titles of all tests, taken from their sources: what `it` and `test` are called with, in any of their forms.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseAst } from 'vitest/node'
import { root } from './setup.mjs'

/** The files below a folder of the project whose names end with `suffix`, as paths from its root, sorted. */
export function filesBelow(folder, suffix) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split('\\').join('/'))
    .sort()
}

export function textOf(file) {
  return readFileSync(join(root, file), 'utf8')
}

/** [{ file, title }] of every test that can run; what is inserted into a title stands there as …. */
export function testTitles() {
  return filesBelow('test', '.test.ts').flatMap((file) => titlesOf(textOf(file)).map((title) => ({ file, title })))
}

/** The test files that hold a word, but for the one that lists what has no test yet. */
export function testFilesWith(word) {
  const pattern = new RegExp(`\\b${word}\\b`)
  return filesBelow('test', '.test.ts').filter(
    (file) => file !== 'test/requirements.test.ts' && pattern.test(textOf(file)),
  )
}

export function titlesOf(source) {
  const titles = []
  visit(parseAst(source, { lang: 'ts' }), (node) => {
    if (node.type !== 'CallExpression' || !callsTest(node.callee)) return
    const title = literal(node.arguments[0])
    if (title !== undefined) titles.push(title)
  })
  return titles
}

/** The requirements in the calls of shows() of a test file (test/shows.ts). */
export function shownIn(source) {
  const shown = []
  visit(parseAst(source, { lang: 'ts' }), (node) => {
    if (node.type !== 'CallExpression' || node.callee.type !== 'Identifier' || node.callee.name !== 'shows') return
    shown.push(...node.arguments.map((argument) => literal(argument)))
  })
  return shown
}

function visit(node, see) {
  if (Array.isArray(node)) for (const one of node) visit(one, see)
  else if (node !== null && typeof node === 'object') {
    if (typeof node.type === 'string') see(node)
    for (const child of Object.values(node)) visit(child, see)
  }
}

/** it(…), it.each(…)(…), it.skipIf(…)(…), it.each`…`(…); what is skipped or still to do shows nothing. */
function callsTest(callee) {
  if (callee.type === 'Identifier') return callee.name === 'it' || callee.name === 'test'
  if (callee.type === 'MemberExpression')
    return !/^(?:skip|todo|fails)$/.test(callee.property.name) && callsTest(callee.object)
  if (callee.type === 'CallExpression') return callsTest(callee.callee)
  return callee.type === 'TaggedTemplateExpression' && callsTest(callee.tag)
}

function literal(node) {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node?.type === 'TemplateLiteral') return node.quasis.map((part) => part.value.cooked).join('…')
  return undefined
}
