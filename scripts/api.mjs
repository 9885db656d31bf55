// The pages of docs/api: every export of every public entry, from its source and the comment above it. scripts/docs.mjs writes
// them. docs/decisions/0066-api-reference.md says why it reads the sources by themselves.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { parseAst } from 'vitest/node'
import { examplesOf } from './api-examples.mjs'
import { proseToMarkdown } from './api-text.mjs'
import { root } from './setup.mjs'

const { name: packageName, exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Every entry with code: { entry: 'postern/ipc', page: 'docs/api/ipc.md', source: 'src/ipc/index.ts' } each. */
export const publicEntries = Object.entries(entries)
  .filter(([, file]) => file.endsWith('.js'))
  .map(([path, file]) => ({
    entry: posix.join(packageName, path),
    page: `docs/api/${path === '.' ? packageName : path.slice(2)}.md`,
    source: file.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts'),
  }))

const modules = new Map()

/** A source file: its text, its statements, and the comment at its head. */
function moduleOf(file) {
  if (modules.has(file)) return modules.get(file)
  const text = readFileSync(join(root, file), 'utf8')
  const module = { file, text, body: parseAst(text, { lang: 'ts' }).body, header: commentAt(text.trimStart(), 0) }
  modules.set(file, module)
  return module
}

/** The text of the comment for tools that begins at `at`; undefined if there is none. */
function commentAt(text, at) {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(text.slice(at))?.[1]
  return comment?.replace(/\n[ \t]*\*( ?)/g, '\n').trim()
}

/** The text of the comment that ends right before `at`; undefined if there is none. */
function commentBefore(text, at) {
  const before = text.slice(0, at).trimEnd()
  if (!before.endsWith('*/')) return undefined
  const start = before.lastIndexOf('/**')
  return start < before.lastIndexOf('*/', before.length - 3) ? undefined : commentAt(before, start)
}

/** The file that an import in `from` means. */
function resolved(from, specifier) {
  return posix.normalize(posix.join(dirname(from), specifier))
}

/** The declaration of `name`, which the module `file` exports: { module, statement, declaration, comment }. */
function declarationOf(file, name) {
  const found = exportOf(file, name)
  if (found === undefined) throw new Error(`${file} exports no ${name}`)
  return found
}

function exportOf(file, name) {
  const module = moduleOf(file)
  for (const statement of module.body) {
    if (statement.type === 'ExportAllDeclaration') {
      const found = exportOf(resolved(file, statement.source.value), name)
      if (found !== undefined) return found
    }
    if (statement.type !== 'ExportNamedDeclaration') continue
    for (const specifier of statement.specifiers) {
      if (specifier.exported.name !== name) continue
      if (statement.source === null) return declarationIn(module, specifier.local.name)
      const found = declarationOf(resolved(file, statement.source.value), specifier.local.name)
      // A name may have a comment where it is exported again, such as that it is deprecated.
      return { ...found, comment: commentBefore(module.text, specifier.start) ?? found.comment }
    }
    if (namesOf(statement.declaration).includes(name))
      return {
        module,
        statement,
        declaration: statement.declaration,
        comment: commentBefore(module.text, statement.start),
      }
  }
  return undefined
}

/** The declaration of a name that a module exports later, or imports. */
function declarationIn(module, name) {
  for (const statement of module.body) {
    if (namesOf(statement).includes(name))
      return { module, statement, declaration: statement, comment: commentBefore(module.text, statement.start) }
    if (statement.type !== 'ImportDeclaration') continue
    const found = statement.specifiers.find((specifier) => specifier.local.name === name)
    if (found !== undefined) return declarationOf(resolved(module.file, statement.source.value), found.imported.name)
  }
  throw new Error(`${module.file} has no ${name}`)
}

function namesOf(declaration) {
  if (declaration === null || declaration === undefined) return []
  if (declaration.type === 'VariableDeclaration') return declaration.declarations.map(({ id }) => id.name)
  return declaration.id?.name === undefined ? [] : [declaration.id.name]
}

/** The names that an entry exports, in the order of its source. */
export function exportedNames(file) {
  return moduleOf(file).body.flatMap((statement) => {
    if (statement.type === 'ExportNamedDeclaration')
      return statement.specifiers.map(({ exported }) => exported.name).concat(namesOf(statement.declaration))
    if (statement.type === 'ExportAllDeclaration') return exportedNames(resolved(file, statement.source.value))
    if (statement.type.startsWith('Export')) throw new Error(`${file}: exports have to be named`)
    return []
  })
}

const kinds = {
  FunctionDeclaration: 'Functions',
  TSDeclareFunction: 'Functions',
  ClassDeclaration: 'Classes',
  TSInterfaceDeclaration: 'Types',
  TSTypeAliasDeclaration: 'Types',
  VariableDeclaration: 'Constants',
}

/** One export: its kind, its text, the lines of TypeScript that show its form, and its members. */
function describe(file, name) {
  const { module, declaration, comment } = declarationOf(file, name)
  const kind = comment?.startsWith('@deprecated') ? 'Deprecated' : kinds[declaration.type]
  if (kind === undefined) throw new Error(`${module.file}: ${name} is a ${declaration.type}, which no page can show`)
  return {
    name,
    kind,
    home: module.file,
    text: comment?.replace(/^@deprecated\s+/, ''),
    form: formOf(module, declaration, name),
    members: membersOf(module, declaration),
  }
}

function sourceOf({ text }, from, to) {
  return text.slice(from, to).trim()
}

/** A declaration without its body, as a reader needs it. */
function formOf(module, declaration, name) {
  const { type, start, end } = declaration
  if (type === 'FunctionDeclaration') return sourceOf(module, start, declaration.body.start).replace(/^async /, '')
  if (type === 'TSTypeAliasDeclaration' || type === 'TSDeclareFunction') return sourceOf(module, start, end)
  if (type === 'VariableDeclaration') {
    const { id, init } = declaration.declarations.find((one) => one.id.name === name)
    const value = init === null ? '' : sourceOf(module, init.start, init.end)
    const isShort = value.length <= 400 && !/=>|\(/.test(value)
    return `const ${sourceOf(module, id.start, id.end)}${isShort ? ` = ${value}` : ''}`
  }
  return sourceOf(module, start, declaration.body.start)
}

/** The members that a caller may use: { form, text } each. */
function membersOf(module, declaration) {
  if (declaration.type === 'TSTypeAliasDeclaration' && declaration.typeAnnotation.type === 'TSTypeLiteral')
    return declaration.typeAnnotation.members.flatMap((member) => memberOf(module, member))
  if (declaration.type !== 'TSInterfaceDeclaration' && declaration.type !== 'ClassDeclaration') return []
  return declaration.body.body.flatMap((member) => memberOf(module, member))
}

function memberOf(module, member) {
  const { key, accessibility, static: isStatic, type, kind } = member
  const isPrivate = key?.type === 'PrivateIdentifier' || accessibility === 'private' || accessibility === 'protected'
  if (isPrivate || (key?.name ?? '').startsWith('_') || (member.value?.body === null && kind !== 'get')) return []
  if (kind === 'set' || type === 'StaticBlock') return []
  const body = member.value?.body
  const end = body?.start ?? (type === 'PropertyDefinition' && member.value ? member.value.start : member.end)
  const form = sourceOf(module, member.start, end)
    .replace(/[;,=]$/, '')
    .trim()
    .replace(/^(?:(?:readonly|override|async|declare)\s+)+/, '')
    .replace(/\s+/g, ' ')
  const text = commentBefore(module.text, member.start)
  // A class is made by the function that its text names, unless its constructor has a text of its own.
  if (kind === 'constructor' && text === undefined) return []
  return [{ form: isStatic && !form.startsWith('static') ? `static ${form}` : form, text }]
}

/** Everything about an entry: its introduction and its exports. */
function readEntry({ entry, page, source }) {
  const names = [...new Set(exportedNames(source))]
  return { entry, page, header: moduleOf(source).header ?? '', exports: names.map((name) => describe(source, name)) }
}

/**
 * Entry → the page on which each of its exports is described: that of the most special entry which has it, so that
 * `postern`, which gathers what most callers need, refers to the others.
 */
function homesOf(read) {
  const homes = new Map()
  const general = (page) => (page === `docs/api/${packageName}.md` ? 2 : /\/(?:app|fetch)\.md$/.test(page) ? 1 : 0)
  for (const { page, exports } of read.toSorted((a, b) => general(a.page) - general(b.page)))
    for (const { name, home } of exports) if (!homes.has(`${home} ${name}`)) homes.set(`${home} ${name}`, page)
  return homes
}

/** The pages, as blocks of Markdown by path. Throws if an export has no text. */
export function apiPages(errorCodes) {
  const read = publicEntries.filter(({ source }) => existsSync(join(root, source))).map(readEntry)
  const bare = read.flatMap(({ entry, exports }) =>
    exports.filter(({ text }) => text === undefined).map(({ name, home }) => `${entry}: ${name} (${home})`),
  )
  if (bare.length > 0) throw new Error(`exports without a comment that says what they are:\n  ${bare.join('\n  ')}`)
  const homes = homesOf(read)
  const own = new Map(
    read.map(({ page, exports }) => [page, exports.filter(({ name, home }) => homes.get(`${home} ${name}`) === page)]),
  )
  const links = linksOf(own)
  const book = {
    errorCodes,
    own,
    linkTo: (one, page) => links.get(`${one.home} ${one.name}`).from(page),
    byName: namesIn(own),
  }
  const pages = Object.fromEntries(read.map((one) => [one.page, pageOf(one, book)]))
  return { ...pages, 'docs/api/README.md': indexOf(read, book) }
}

const groups = ['Functions', 'Classes', 'Constants', 'Types', 'Deprecated']

/** The exports of a page in the order in which it shows them. */
function inOrder(exports) {
  return groups.flatMap((kind) =>
    exports.filter((one) => one.kind === kind).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  )
}

/** For each export its address; of two headings that differ in capitals only, the second gets a number, as GitHub gives it. */
function linksOf(own) {
  const links = new Map()
  for (const [page, exports] of own) {
    const used = new Map()
    for (const { home, name } of inOrder(exports)) {
      const plain = name.toLowerCase()
      const count = used.get(plain) ?? 0
      used.set(plain, count + 1)
      const id = count === 0 ? plain : `${plain}-${count}`
      const from = (other) => `[\`${name}\`](${other === page ? '' : posix.basename(page)}#${id})`
      links.set(`${home} ${name}`, { from })
    }
  }
  return links
}

/** Types and classes by name, for the links between them. */
function namesIn(own) {
  const types = [...own.values()].flat().filter(({ kind }) => kind === 'Types' || kind === 'Classes')
  return new Map(types.map((one) => [one.name, one]))
}

function indexOf(read, { own, linkTo }) {
  const lines = [
    '# The API',
    'Written by `npm run docs` from the comments in `src/`. A page for each entry of the package; the examples are run by tests.',
  ]
  for (const { entry, page, header } of read) {
    const first = proseToMarkdown(header.split(/\n\s*\n/)[0])
      .join(' ')
      .replace(/:$/, '.')
    const names = inOrder(own.get(page)).map((one) => linkTo(one, 'docs/api/README.md'))
    lines.push(`## [${entry}](${posix.basename(page)})`, first, names.join(', '))
  }
  return lines
}

function pageOf({ entry, page, header, exports }, book) {
  const own = book.own.get(page)
  const others = exports.filter((one) => !own.includes(one))
  const examples = examplesOf(entry)
  const lines = [
    `# ${entry}`,
    'Written by `npm run docs`; change the comments in `src/` instead.',
    ...proseToMarkdown(header),
  ]
  if (others.length > 0) {
    const links = others.map((one) => book.linkTo(one, page))
    lines.push(`It also exports these, which are described on other pages: ${links.join(', ')}.`)
  }
  for (const kind of groups) {
    const group = inOrder(own).filter((one) => one.kind === kind)
    if (group.length > 0) lines.push(`## ${kind}`)
    for (const one of group) lines.push(...sectionOf(one, page, examples.get(one.name), book))
  }
  const unknown = [...examples.keys()].filter((name) => !own.some((one) => one.name === name))
  if (unknown.length > 0) throw new Error(`${page} has no place for the examples ${unknown.join(', ')}`)
  return lines
}

function sectionOf(one, page, example, book) {
  if (one.kind === 'Deprecated') return [`### ${one.name}`, ...proseToMarkdown(one.text)]
  const { name, text, form, members } = one
  const lines = [`### ${name}`, ...proseToMarkdown(text), `\`\`\`ts\n${form}\n\`\`\``]
  if (members.length > 0) lines.push(members.map(memberLine).join('\n'))
  const types = typesIn(one, book).map((other) => book.linkTo(other, page))
  if (types.length > 0) lines.push(`Types: ${types.join(', ')}`)
  const all = [text, ...members.map((member) => member.text ?? '')].join(' ')
  const codes = [...new Set(all.match(/\bPT_[A-Z_]+\b/g) ?? [])].filter((code) => code in book.errorCodes)
  if (codes.length > 0)
    lines.push(`Errors: ${codes.map((code) => `[\`${code}\`](../errors.md#${code.toLowerCase()})`).join(', ')}`)
  if (example !== undefined) lines.push('Example:', `\`\`\`ts\n${example}\n\`\`\``)
  return lines
}

/** The other types of the package that an export's form and members name, in order. */
function typesIn({ name, form, members }, { byName }) {
  const words = [form, ...members.map((member) => member.form)].join(' ').match(/\b[A-Z]\w+\b/g) ?? []
  return [...new Set(words)].filter((word) => word !== name && byName.has(word)).map((word) => byName.get(word))
}

/** A member as an item of a list, with its text in it. */
function memberLine({ form, text }) {
  const [first = '', ...more] = proseToMarkdown(text)
  const item = `- \`${form.replaceAll('`', "'")}\`${first === '' ? '' : `: ${first.replace(/\s+/g, ' ')}`}`
  return [item, ...more.map((block) => `\n${block.replace(/^/gm, '  ')}\n`)].join('\n')
}
