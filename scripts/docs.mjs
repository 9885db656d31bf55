// npm run docs: writes the pages of docs/ that are made from the sources and tests. test/docs.test.ts holds them fresh.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { apiPages } from './api.mjs'
import { build, root } from './setup.mjs'
import { filesBelow, shownIn, testFilesWith, testTitles, textOf } from './titles.mjs'
import { tunnelOptions } from './tunnel-options.mjs'

/**
 * The generated pages, by path, for what src/ipc/requirements.ts, src/error.ts, src/failure.ts, src/socks/wire.ts,
 * src/transports/arguments.ts and the schema of tunnels export.
 */
export async function pages({ requirements, errorCodes, stages, replies, transportArguments, schema }) {
  return {
    'docs/tunnels.md': await markdown(tunnelOptions(schema)),
    'docs/spec-map.md': await markdown(specMap(requirements)),
    'docs/errors.md': await markdown([...errors(errorCodes), ...stagesOf(stages, replies)]),
    'docs/arguments.md': await markdown(argumentsOf(transportArguments)),
    ...(await apiReference(errorCodes)),
  }
}

async function apiReference(errorCodes) {
  const pages = Object.entries(apiPages(errorCodes)).map(async ([file, blocks]) => [file, await markdown(blocks)])
  return Object.fromEntries(await Promise.all(pages))
}

/** The ids that a text names, each once. */
export function idsIn(text) {
  return [...new Set(text.match(/\b[A-Z]+-\d+\b/g) ?? [])]
}

function specMap(requirements) {
  const titles = testTitles()
  const counted = filesBelow('test', '.test.ts').map((file) => ({ file, ids: shownIn(textOf(file)) }))
  const sources = filesBelow('src', '.ts')
    .filter((file) => file !== 'src/ipc/requirements.ts')
    .map((file) => ({ file, text: textOf(file) }))
    .map(({ file, text }) => ({ file, ids: idsIn(text), header: /^\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? '' }))
  const lines = [
    '# Where each requirement is kept, and where it is shown',
    'Written by `npm run docs`; change `src/ipc/requirements.ts`, a comment or a test instead. Every statement of the draft that can be kept or broken has a stable id. The sources that cite it and the tests whose titles carry it follow below. Those files count in which a test calls `shows()` with the id beside an assertion, and passes.',
    '## Sections and their sources',
    'Files whose header names the section, or that cite one of its ids.',
  ]
  const sections = [...new Set(requirements.map((requirement) => requirement.section))]
  for (const section of sections) {
    const own = requirements.filter((requirement) => requirement.section === section)
    const files = sources.filter(
      ({ header, ids }) => header.includes(`"${section}"`) || own.some(({ id }) => ids.includes(id)),
    )
    lines.push(`- **${section}**: ${files.map(({ file }) => code(file)).join(', ') || 'none yet'}`)
  }
  for (const section of sections) {
    lines.push(`## ${section}`)
    for (const { id, who, level, says, note } of requirements.filter((one) => one.section === section)) {
      const cited = sources.filter(({ ids }) => ids.includes(id)).map(({ file }) => code(file))
      const shown = titles.filter(({ title }) => idsIn(title).includes(id))
      lines.push(`### ${id}`, `${who}, ${level}. ${escape(says)}`)
      if (note !== undefined) lines.push(`_Our reading:_ ${escape(note)}`)
      if (cited.length > 0) lines.push(`- source: ${cited.join(', ')}`)
      const files = counted.filter(({ ids }) => ids.includes(id)).map(({ file }) => code(file))
      lines.push(`- shown beside an assertion: ${files.join(', ') || 'nowhere yet'}`)
      lines.push(
        ...(shown.length === 0
          ? ['- no test yet']
          : shown.map(({ file, title }) => `- ${code(file)}: ${escape(title)}`)),
      )
    }
  }
  return lines
}

function errors(errorCodes) {
  const lines = [
    '# Errors',
    'Written by `npm run docs`; change `src/error.ts` or a test instead.',
    'All errors of this package are a `PtError`. Its `code` is stable and says what kind of failure it is; `isPtError(error, code, …)` asks for it, by code and not by class, so that two copies of the package agree. The message is for the operator: what was wrong, where, and what to do. It holds no secret, and no address of a client or a bridge. Where the system or a peer gave a reason, it is the `cause`.',
    "What another program said about a failure, a PT in LOG, STATUS or on stderr, is in `reported` and not in the message. It is scrubbed of addresses, names of hosts and URLs, and of what is known of the bridge: its address, and the values of its arguments. It holds no control characters; what it says is that program's choice. The texts of `VERSION-ERROR`, `ENV-ERROR`, `PROXY-ERROR`, `CMETHOD-ERROR` and `SMETHOD-ERROR`, and a line that breaks the protocol, are in the message, scrubbed alike. The traces `lines`, `stderr` and `failures` of a PT that has ended are scrubbed as well; the events of `onEvent` have everything as it came.",
    'An error that the protocol can say carries its `line`, without NL: `ENV-ERROR …` (PT_ENV), `VERSION-ERROR no-version` (PT_VERSION), `PROXY-ERROR …` (PT_PROXY_URI). A PT writes that line and ends with a status other than 0. Errors of one transport become CMETHOD-ERROR or SMETHOD-ERROR with their message, and leave the others running; errors of one connection become a SOCKS reply, and for the operator a LOG and a STATUS line, in which `stage` says how far it came.',
    'Errors of the system (ECONNREFUSED, EADDRINUSE, …) are handed on as they are where nothing can be added, and otherwise as the `cause`.',
  ]
  for (const [name, says] of Object.entries(errorCodes)) {
    const files = testFilesWith(name).map(code)
    lines.push(`## ${name}`, escape(says), files.length === 0 ? 'No test yet.' : `Tests: ${files.join(', ')}`)
  }
  return lines
}

function stagesOf(stages, replies) {
  const rows = Object.entries(stages).map(([stage, { code: name, reply, sentence, advice }]) => {
    const number = reply === undefined ? 'by the system error' : String(replies[reply])
    return [code(stage), `[${name}](#${name.toLowerCase()})`, number, `${escape(sentence)}: ${escape(advice)}`]
  })
  return [
    '## Stages',
    'Written by `npm run docs`; change `src/failure.ts` instead. `stage` of an error says where a connection failed: the further down in this table, the further it came. A PT tells its parent the SOCKS reply, and says the stage in `STATUS … STAGE=`. An application gets the code and the sentence, whether the transport runs in its own process or in our PT beside it. A connection that failed without a stage is PT_HANDSHAKE.',
    'Our PT names the connection in `STATUS … PORT=`, the port of the parent’s end of the SOCKS connection. Of another program nothing tells which connection it speaks of: then the code is PT_SOCKS_REFUSED, `stage` is a guess by its SOCKS reply, and `reported` is what it said at about that time.',
    ...table(['stage', 'code', 'reply', 'sentence'], rows),
  ]
}

function argumentsOf(transportArguments) {
  const lines = [
    '# Arguments of the built-in transports',
    'Written by `npm run docs`; change `arguments.ts` of the transport instead. The arguments of a client stand in the bridge line. The options of a server are given with `postern server --option`, or with `ServerTransportOptions` of tor. `postern bridge check` says what is wrong with a line; a key that is not listed here is ignored.',
  ]
  for (const [name, { rows }] of transportArguments) {
    lines.push(`## ${escape(name)}`)
    if (rows.length === 0) lines.push('It takes no arguments.')
    for (const [role, title] of [
      ['client', 'Client: in the bridge line'],
      ['server', 'Server: options'],
    ]) {
      const own = rows.filter((row) => row.role === role)
      if (own.length === 0) continue
      const cells = own.map(({ key, needed, form, meaning }) => [code(key), needed, form, meaning])
      lines.push(`### ${title} of ${escape(name)}`, ...table(['key', 'needed', 'form', 'meaning'], cells))
    }
  }
  return lines
}

/** One block: a table in Markdown. */
function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')]
}

function code(text) {
  return `\`${text}\``
}

function escape(text) {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_<>[\]|]/g, '\\$&')
}

async function markdown(blocks) {
  const text = blocks.map((block, at) =>
    block.startsWith('- ') && blocks[at + 1]?.startsWith('- ') ? block : `${block}\n`,
  )
  return await format(text.join('\n'), { ...(await resolveConfig(join(root, 'docs/x.md'))), parser: 'markdown' })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await build()
  const { requirements } = await import('../dist/ipc/requirements.js')
  const { errorCodes } = await import('../dist/error.js')
  const { stages } = await import('../dist/failure.js')
  const { replies } = await import('../dist/socks/wire.js')
  const { transportArguments } = await import('../dist/transports/arguments.js')
  const schema = await import('../dist/cli/tunnels/schema/tunnel-options.js')
  const sources = { requirements, errorCodes, stages, replies, transportArguments, schema }
  mkdirSync(join(root, 'docs/api'), { recursive: true })
  for (const [file, text] of Object.entries(await pages(sources))) {
    writeFileSync(join(root, file), text)
    console.log(file)
  }
}
