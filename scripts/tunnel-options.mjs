// docs/tunnels.md: every option of a tunnel, as a flag and as a key of a file, from src/cli/tunnels/schema/tunnel-options.ts.

/** The page as blocks of Markdown. */
export function tunnelOptions(schema) {
  const { clientOptions, serverOptions, processOptions, outputOptions, printLineOption } = schema
  return [
    '# Options of tunnels',
    'Written by `npm run docs`; change `src/cli/tunnels/schema/tunnel-options.ts` instead. Each option is declared there once, and has one meaning as a flag of `postern client` or `postern server` and as a key in the file of `postern run`. What the options are for is in [operating.md](operating.md).',
    'An address is `<ip>:<port>`, with IPv6 in brackets. Times are whole seconds. Paths in a file are relative to its folder. A flag that can be given several times is a list in a file, or a table if it has `KEY=VALUE`.',
    '## A client',
    '`postern client`, and `[client.NAME]` in a file. There has to be a bridge line, in `file` or without it.',
    table(clientOptions),
    '## A server',
    '`postern server TRANSPORT`, and `[server.NAME]` in a file.',
    table(serverOptions),
    '## The process',
    'Flags of both commands, and keys at the top of a file.',
    table(processOptions),
    '## What is printed',
    'Flags of `postern client`, `postern server` and `postern run`; no file has them.',
    table({ printLine: printLineOption, ...outputOptions }, { keys: false }),
  ]
}

function table(options, { keys = true } = {}) {
  const rows = Object.entries(options)
    .filter(([name]) => name !== 'help')
    .map(([name, option]) => {
      const inFile = keys ? [`\`${keyOf(name)}\``, option.kind.toml] : []
      return [flagCell(name, option)].concat(inFile, defaultCell(option), option.says.replaceAll('\n', ' '))
    })
  const head = ['flag', ...(keys ? ['key', 'in a file'] : []), 'default', 'what it does']
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`).join('\n')
}

function flagCell(name, { argument, flag = keyOf(name), placeholder }) {
  return argument === undefined ? `\`${`--${flag} ${placeholder}`.trimEnd()}\`` : `\`${argument}\``
}

function defaultCell({ presence, otherwise, defaultText, flagDefault }) {
  if (flagDefault !== undefined) return `flag: ${flagDefault}; file: required`
  if (presence === 'required') return 'required'
  if (presence === 'optional') return ''
  return defaultText ?? (typeof otherwise === 'boolean' ? String(otherwise) : '')
}

function keyOf(name) {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function cell(text) {
  return text.replaceAll('|', String.raw`\|`)
}
